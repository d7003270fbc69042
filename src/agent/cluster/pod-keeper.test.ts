import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually, hurriedClock, silentLog } from "../../../test/support/real.ts";
import type { Clock } from "../../lib/clock.ts";
import type { NodeOrder, PodOrder } from "./contract.ts";
import type { PodProcess } from "./find-pods.ts";
import type { Memory, Remembered } from "./memory.ts";
import { PodKeeper } from "./pod-keeper.ts";
import type { Pin, PodNetwork } from "./pod-network.ts";
import { type CaptureSockets, serving } from "./pod-rules.ts";

const uid = "00000001-1111-4222-8333-444444444444";
const other = "00000002-1111-4222-8333-444444444444";

/** The networks of a node that exist only here; it writes down what is done to them. */
class FakeNetwork implements PodNetwork {
  readonly done: string[] = [];
  readonly rules = new Map<string, string>();
  /** Whether the rules were told last that somebody serves the pod. */
  readonly served = new Map<string, boolean>();
  readonly pinned = new Map<string, Pin>();
  readonly processes = new Map<string, PodProcess>();
  socketsNow: CaptureSockets = { listening: true, listeners: 2, open: 0 };
  broken = "";

  async pin(id: string, source: string): Promise<Pin> {
    const inode = Number(/\d+/.exec(source)?.[0]) * 10;
    const pin: Pin = { uid: id, inode, path: `/run/netns/${id}-${inode}` };
    this.pinned.set(pin.path, pin);
    this.done.push(`pin ${inode}`);
    return pin;
  }
  pins(): readonly Pin[] {
    return [...this.pinned.values()];
  }
  async unpin(pin: Pin): Promise<void> {
    this.pinned.delete(pin.path);
    this.done.push(`unpin ${pin.inode}`);
  }
  async hasRules(pin: Pin): Promise<boolean> {
    return this.rules.has(pin.path) && this.rules.get(pin.path) !== "clear";
  }
  async apply(pin: Pin, rules: string): Promise<void> {
    if (this.broken !== "") throw new Error(this.broken);
    const kind = rules.includes("dnat ip")
      ? "capture"
      : rules.includes("type nat")
        ? "drain"
        : rules.includes("notrack")
          ? "quiet"
          : rules.includes("serving")
            ? "say"
            : "clear";
    if (rules.includes("@serving") || rules.includes(" serving")) this.served.set(pin.path, rules.endsWith(serving));
    if (kind === "say") return;
    this.rules.set(pin.path, kind);
    this.done.push(`${kind} ${pin.inode}`);
  }
  async prepare(): Promise<void> {}
  async sockets(): Promise<CaptureSockets> {
    return this.socketsNow;
  }
  async addressOf(): Promise<undefined> {}
  async prepareNode(captured: readonly string[]): Promise<string | undefined> {
    this.done.push(`node ${captured.join(",")}`);
    return undefined;
  }
  async releaseNode(): Promise<void> {
    this.done.push("release node");
  }
}

function remember(kept: { value: Remembered | undefined }): Memory {
  return {
    load: () => kept.value ?? { order: { generation: 0, pods: [], meshNamespaces: [], gateways: [] }, guarded: [] },
    save: (what) => (kept.value = what),
    forget: () => (kept.value = undefined),
  };
}

function order(generation: number, ...pods: readonly Partial<PodOrder>[]): NodeOrder {
  const base: PodOrder = { uid, namespace: "default", name: "web", address: "10.1.0.2", identity: "spiffe://x", mode: "strict", probePorts: [], capture: true };
  return { generation, meshNamespaces: ["shop"], gateways: [], pods: pods.map((pod) => ({ ...base, ...pod })) };
}

function keeperOf(
  t: TestContext,
  network: FakeNetwork,
  kept: { value: Remembered | undefined } = { value: undefined },
  clock: Clock = hurriedClock,
): PodKeeper {
  const keeper = new PodKeeper({
    node: "one",
    network,
    find: (uids) => ({ byUid: new Map([...network.processes].filter(([id]) => uids.has(id))), onNodeNetwork: new Set() }),
    memory: remember(kept),
    clock,
    log: silentLog,
  });
  t.after(() => keeper.stop());
  keeper.start();
  return keeper;
}

const phaseOf = (keeper: PodKeeper, id = uid) => keeper.report.get().pods.find((pod) => pod.uid === id)?.phase;

test("a pod joins, leaves and is forgotten; each order is worked on before it is reported", async (t) => {
  const network = new FakeNetwork();
  network.processes.set(uid, { pid: 7, inode: 70 });
  const keeper = keeperOf(t, network);
  keeper.setOrder(order(1, { capture: false }));
  await eventually(() => keeper.report.get().generation === 1, "order 1");
  assert.equal(phaseOf(keeper), "pinned");
  assert.equal(network.rules.size, 0, "nothing is put into it yet");
  assert.equal(keeper.report.get().pods[0]?.networkNamespace, `/run/netns/${uid}-70`);
  keeper.setOrder(order(2, {}));
  await eventually(() => keeper.report.get().generation === 2, "order 2");
  assert.equal(phaseOf(keeper), "captured");
  network.socketsNow = { listening: true, listeners: 2, open: 3 };
  keeper.setOrder(order(3, { capture: false }));
  await eventually(() => keeper.report.get().generation === 3, "order 3");
  assert.equal(phaseOf(keeper), "pinned");
  assert.equal(network.rules.get(`/run/netns/${uid}-70`), "drain", "what was redirected goes on");
  network.socketsNow = { listening: false, listeners: 0, open: 0 };
  await eventually(() => network.rules.get(`/run/netns/${uid}-70`) === "clear", "no rule is left");
  keeper.setOrder(order(4));
  await eventually(() => network.pinned.size === 0, "unpinned");
  assert.ok(network.done.indexOf("node 10.1.0.2") < network.done.indexOf("capture 70"), "the kubelet's address first");
});

test("a pod that does not run yet is searched for; a sandbox made anew is pinned and captured anew", async (t) => {
  const network = new FakeNetwork();
  const keeper = keeperOf(t, network);
  keeper.setOrder(order(1, {}));
  await eventually(() => keeper.report.get().generation === 1, "order 1");
  assert.equal(phaseOf(keeper), "searching");
  network.processes.set(uid, { pid: 7, inode: 70 });
  await eventually(() => phaseOf(keeper) === "captured", "found");
});

test("what fails is said, and tried again", async (t) => {
  const network = new FakeNetwork();
  network.processes.set(uid, { pid: 7, inode: 70 });
  network.broken = "no such thing";
  const keeper = keeperOf(t, network);
  keeper.setOrder(order(1, {}, { uid: other, address: "fd00::1" }));
  await eventually(() => phaseOf(keeper) === "failed", "failed");
  assert.match(keeper.report.get().pods[0]?.reason ?? "", /no such thing/);
  network.broken = "";
  await eventually(() => phaseOf(keeper) === "captured", "tried again");
  assert.equal(keeper.report.get().pods[0]?.reason, undefined);
});

test("a new agent holds what the last one did, and clears up after pods that left meanwhile", async (t) => {
  const network = new FakeNetwork();
  network.processes.set(uid, { pid: 7, inode: 70 }).set(other, { pid: 8, inode: 80 });
  for (const place of [`${uid}-70`, `${other}-80`]) network.rules.set(`/run/netns/${place}`, "capture");
  const kept = { value: { order: order(5, {}, { uid: other }), guarded: [] } };
  const keeper = keeperOf(t, network, kept);
  keeper.setOrder(order(6, {}));
  await eventually(() => network.rules.get(`/run/netns/${other}-80`) === "clear", "the other's rules are out");
  assert.equal(phaseOf(keeper), "captured");
  assert.ok(!network.done.includes("drain 70") && !network.done.includes("clear 70"), "never without rules");
});

test("a pod of the guard is captured at once, and stays so until an order names it or it ends", async (t) => {
  const network = new FakeNetwork();
  const kept: { value: Remembered | undefined } = { value: undefined };
  const keeper = keeperOf(t, network, kept);
  const guarded = { uid, namespace: "shop", name: "web", address: "10.1.0.2", sources: ["/proc/9/ns/net"] };
  assert.equal((await keeper.capture(guarded, AbortSignal.timeout(10_000)))?.phase, "captured");
  assert.deepEqual(keeper.report.get().pods[0]?.guarded, { namespace: "shop", name: "web", address: "10.1.0.2" });
  assert.equal(kept.value?.guarded.length, 1);
  keeper.setOrder(order(1));
  await eventually(() => keeper.report.get().generation === 1, "an order that does not know it");
  assert.equal(phaseOf(keeper), "captured");
  keeper.setOrder(order(2, {}));
  await eventually(() => keeper.report.get().generation === 2, "an order that does");
  assert.equal(keeper.report.get().pods.length, 1);
  assert.equal(keeper.report.get().pods[0]?.guarded, undefined);
  keeper.setOrder(order(3));
  await eventually(() => network.pinned.size === 0, "now it counts that it is gone");
});

test("release: nothing is left", async (t) => {
  const network = new FakeNetwork();
  network.processes.set(uid, { pid: 7, inode: 70 });
  const kept: { value: Remembered | undefined } = { value: undefined };
  const keeper = keeperOf(t, network, kept);
  keeper.setOrder(order(1, {}));
  await eventually(() => phaseOf(keeper) === "captured", "captured");
  await keeper.stop();
  await keeper.letGo();
  assert.equal(network.rules.get(`/run/netns/${uid}-70`), "drain");
  await keeper.release();
  assert.deepEqual(network.done.slice(-4), ["quiet 70", "clear 70", "unpin 70", "release node"]);
  assert.equal(kept.value, undefined);
});

test("rules hear that somebody serves the pod while somebody listens; who leaves says so where nobody else does", async (t) => {
  const network = new FakeNetwork();
  const place = `/run/netns/${uid}-70`;
  network.processes.set(uid, { pid: 7, inode: 70 });
  network.socketsNow = { listening: false, listeners: 0, open: 0 };
  // A second is a thousand.
  const keeper = keeperOf(t, network, undefined, { ...hurriedClock, now: () => Date.now() * 1_000 });
  keeper.setOrder(order(1, {}));
  await eventually(() => phaseOf(keeper) === "captured", "captured");
  assert.equal(network.served.get(place), false, "its own connections go on until there is an Envoy");
  network.socketsNow = { listening: true, listeners: 2, open: 0 };
  await eventually(() => network.served.get(place) === true, "served");
  network.served.delete(place);
  await eventually(() => network.served.get(place) === true, "said again");
  await keeper.stop();
  await keeper.leave(1);
  assert.equal(network.served.get(place), true, "another Envoy listens");
  await keeper.leave(2);
  assert.equal(network.served.get(place), false);
});

test("a pod that starts is captured although nobody listens yet", async (t) => {
  const network = new FakeNetwork();
  network.socketsNow = { listening: false, listeners: 0, open: 0 };
  const keeper = keeperOf(t, network);
  const pod = { uid, namespace: "shop", name: "web", address: "10.1.0.2", sources: ["/proc/7/ns/net"] };
  await keeper.capture(pod, AbortSignal.timeout(5_000));
  assert.equal(network.served.get(`/run/netns/${uid}-70`), true);
});
