import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { hurriedClock as clock, eventually, silentLog as log, temporaryFolder } from "../../../test/support/real.ts";
import type { GuardReport, PodReport } from "./contract.ts";
import { encodeMessage, MessageReader, messageType } from "./nri/frames.ts";
import { decodeResponse, encodeRequest, type Sandbox, type TtrpcResponse } from "./nri/messages.ts";
import { type GuardOptions, isInMesh, runGuard } from "./pod-guard.ts";
import type { GuardedPod } from "./pod-keeper.ts";

const uid = "0a1b2c3d-1111-4222-8333-444455556666";
const sandbox: Sandbox = { uid, name: "web", namespace: "shop", labels: {}, pid: 7, networkNamespace: "/run/netns/x", addresses: ["10.1.0.2"] };

test("label, then namespace; never a pod on the node's network", () => {
  assert.ok(isInMesh(sandbox, ["shop"]));
  assert.ok(!isInMesh(sandbox, ["other"]));
  assert.ok(isInMesh({ ...sandbox, labels: { "weir.dev/mesh": "on" } }, []));
  assert.ok(!isInMesh({ ...sandbox, labels: { "weir.dev/mesh": "off" } }, ["shop"]));
  assert.ok(!isInMesh({ ...sandbox, networkNamespace: undefined, pid: undefined }, ["shop"]));
});

class FakeKeeper implements Pick<GuardOptions, "keeper"> {
  readonly captured: GuardedPod[] = [];
  readonly guards: GuardReport[] = [];
  report: PodReport | undefined = { uid, phase: "captured" };
  listeningAfter = 0;
  certifiedAfter = 0;
  readonly keeper: GuardOptions["keeper"] = {
    meshNamespaces: ["shop"],
    capture: async (pod) => {
      this.captured.push(pod);
      return this.report;
    },
    forgetGuarded: () => undefined,
    isListening: async () => clock.now() >= this.listeningAfter,
    setGuard: (guard) => this.guards.push(guard),
  };
}

function podBytes({ name, addresses }: Pick<Sandbox, "name" | "addresses">): Uint8Array {
  const text = (number: number, value: string) => new BinaryWriter().tag(number, WireType.LengthDelimited).string(value).finish();
  const fields = [text(2, name), text(3, uid), text(4, "shop"), Buffer.from("4807", "hex"), ...addresses.map((address) => text(10, address))];
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.concat(fields)).finish();
}

class Runtime {
  readonly #peer: Socket;
  readonly #reader = new MessageReader();
  readonly #answers = new Map<number, (response: TtrpcResponse) => void>();
  #stream = 1;

  constructor(peer: Socket) {
    this.#peer = peer;
    peer.on("data", (bytes) => {
      for (const message of this.#reader.push(Buffer.from(bytes)))
        if (message.connection === 1) this.#answers.get(message.stream)?.(decodeResponse(message.content));
    });
  }

  call(method: string, payload: Uint8Array = new Uint8Array()): Promise<TtrpcResponse> {
    const stream = (this.#stream += 2);
    this.#peer.write(encodeMessage({ connection: 1, stream, type: messageType.request, content: encodeRequest({ service: "p", method, payload }) }));
    return new Promise((resolve) => this.#answers.set(stream, resolve));
  }

  end(): void {
    this.#peer.destroy();
  }
}

test("a pod starts when it is captured and Envoy listens, and not when it cannot be captured", async (t) => {
  const socket = path.join(temporaryFolder(t), "nri.sock");
  const fake = new FakeKeeper();
  const stop = new AbortController();
  const hasCertificate = (): boolean => clock.now() >= fake.certifiedAfter;
  const running = runGuard(
    { socket, keeper: fake.keeper, addressOf: async (source) => (source === "/proc/7/ns/net" ? "10.9.9.9" : undefined), hasCertificate, clock, log },
    stop.signal,
  );
  t.after(async () => {
    stop.abort();
    await running;
  });
  await eventually(() => fake.guards.at(-1)?.state === "absent", "nobody is there");
  const server = createServer();
  const connection = once(server, "connection");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const runtime = new Runtime((await connection)[0] as Socket);
  // 400 ms for each request.
  await runtime.call("Configure", Buffer.from("289003", "hex"));
  await runtime.call("Synchronize");
  assert.deepEqual(fake.guards.at(-1), { state: "active" });

  fake.listeningAfter = clock.now() + 150;
  fake.certifiedAfter = clock.now() + 200;
  assert.ok((await runtime.call("RunPodSandbox", podBytes({ name: "web", addresses: ["fd00::1", "10.1.0.2"] }))).ok);
  assert.ok(clock.now() >= fake.listeningAfter, "it waited for the listeners");
  assert.ok(clock.now() >= fake.certifiedAfter, "and for its certificate");
  assert.deepEqual(fake.captured[0], { uid, namespace: "shop", name: "web", address: "10.1.0.2", sources: ["/proc/7/ns/net"] });

  fake.listeningAfter = Number.MAX_VALUE;
  assert.ok((await runtime.call("RunPodSandbox", podBytes({ name: "late", addresses: [] }))).ok, "it starts without listeners, refused connections are safe");
  assert.equal(fake.captured[1]?.address, "10.9.9.9", "a runtime that does not tell the address");

  fake.report = { uid, phase: "failed", reason: "no rules" };
  const refused = await runtime.call("RunPodSandbox", podBytes({ name: "bad", addresses: ["10.1.0.2"] }));
  assert.ok(!refused.ok && /no rules/.test(refused.message));
  runtime.end();
  await eventually(() => fake.guards.at(-1)?.state === "absent", "the runtime went away");
});
