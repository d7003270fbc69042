/** Mutual TLS over real sockets: ours with ours, and each against others. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { certified, someSigner } from "../../test/support/certificates.ts";
import { realClock, silentLog, temporaryFolder } from "../../test/support/real.ts";
import { Cell } from "../lib/cell.ts";
import type { RpcAddress } from "./address.ts";
import { connectRpc, type RpcClient } from "./client.ts";
import { createRpcServer } from "./server.ts";
import { RpcError, Status } from "./status.ts";
import { type ClientTls, type ServerTls, spiffeIdIn, type TlsMaterial } from "./tls.ts";

const serverId = "spiffe://weir.local/ns/weir-system/sa/weir-control";
const clientId = "spiffe://weir.local/node/one";
const expect = { spiffeId: serverId };

const trusted = await someSigner();
const stranger = await someSigner();
const roots = trusted.ca.root.pem;

async function material(signer = trusted, id = serverId): Promise<TlsMaterial> {
  const { chain, key } = await certified(signer, id);
  return { chain, key, roots };
}

async function serve(
  t: TestContext,
  clientCertificate: ServerTls["clientCertificate"],
  shown?: TlsMaterial,
  where: RpcAddress = { host: "127.0.0.1", port: 0 },
) {
  const cell = new Cell(shown ?? (await material()));
  const methods = new Map([
    ["/t.T/Who", { kind: "unary" as const, handle: (_: Uint8Array, { peer }: { peer: string | undefined }) => Promise.resolve(Buffer.from(peer ?? "nobody")) }],
  ]);
  const server = createRpcServer({ clock: realClock, log: silentLog, methods, tls: { material: cell, clientCertificate } });
  t.after(() => server.close(0));
  const address = await server.listen(where);
  return { cell, address, port: "port" in address ? address.port : 0 };
}

function dial(t: TestContext, target: RpcAddress, tls?: ClientTls): RpcClient {
  const client = connectRpc({ clock: realClock, target, ...(tls === undefined ? {} : { tls }) });
  t.after(() => client.close());
  return client;
}

async function who(client: RpcClient): Promise<string> {
  return Buffer.from(await client.unary("/t.T/Who", new Uint8Array(), { timeoutMs: 5000 })).toString();
}

const isUnavailable = (error: unknown): boolean => error instanceof RpcError && error.code === Status.unavailable;

/** Runs openssl s_client and returns what it printed. */
function openssl(port: number, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-alpn", "h2", ...args], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece: string) => (output += piece));
    child.once("close", () => resolve(output));
    child.stdin.end(input);
  });
}

test("each side knows the other by its SPIFFE ID", async (t) => {
  const { address } = await serve(t, "required");
  assert.equal(await who(dial(t, address, { roots, expect, own: await material(trusted, clientId) })), clientId);
});

test("TLS over a Unix socket too", async (t) => {
  const { address } = await serve(t, "required", undefined, { path: path.join(temporaryFolder(t), "s") });
  assert.equal(await who(dial(t, address, { roots, expect, own: await material(trusted, clientId) })), clientId);
});

test("a client without a certificate: nobody where it is optional, refused where it is required", async (t) => {
  const optional = await serve(t, "optional");
  assert.equal(await who(dial(t, optional.address, { roots, expect })), "nobody");
  const required = await serve(t, "required");
  await assert.rejects(who(dial(t, required.address, { roots, expect })), isUnavailable);
});

test("a client of another root is refused, also where certificates are optional", async (t) => {
  const own = await material(stranger, clientId);
  for (const clientCertificate of ["optional", "required"] as const) {
    const { address } = await serve(t, clientCertificate);
    await assert.rejects(who(dial(t, address, { roots, expect, own })), isUnavailable, clientCertificate);
  }
});

test("an expired certificate is refused", async (t) => {
  const { address } = await serve(t, "required");
  const own = await certified(trusted, clientId, Date.now(), 1000);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, own.notAfter - Date.now()) + 50));
  await assert.rejects(who(dial(t, address, { roots, expect, own })), isUnavailable);
});

test("a server that is somebody else is refused: another ID, another root, nobody", async (t) => {
  const own = await material(trusted, clientId);
  const impostor = await serve(t, "required", await material(trusted, "spiffe://weir.local/ns/weir-system/sa/weir-contro"));
  await assert.rejects(who(dial(t, impostor.address, { roots, expect, own })), /not spiffe:\/\/weir\.local\/ns\/weir-system\/sa\/weir-control$/);
  const other = await serve(t, "required", await material(stranger));
  await assert.rejects(who(dial(t, other.address, { roots, expect, own })), isUnavailable);
  await assert.rejects(who(dial(t, impostor.address, { roots, expect: { dnsName: "weir.example" }, own })), isUnavailable);
});

test("a newer certificate serves new connections; an open one stays", async (t) => {
  const { address, cell } = await serve(t, "required");
  const own = await material(trusted, clientId);
  const before = dial(t, address, { roots, expect, own });
  assert.equal(await who(before), clientId);
  const strangerRoots = stranger.ca.root.pem;
  cell.set({ ...(await material(stranger)), roots: strangerRoots });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await who(before), clientId, "the open connection");
  await assert.rejects(who(dial(t, address, { roots, expect, own })), isUnavailable);
  assert.equal(await who(dial(t, address, { roots: strangerRoots, expect, own: await material(stranger, clientId) })), clientId);
  cell.set({ chain: "no PEM", key: "no PEM", roots: "no PEM" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(
    await who(dial(t, address, { roots: strangerRoots, expect, own: await material(stranger, clientId) })),
    clientId,
    "a broken one changes nothing",
  );
});

test("cleartext does not reach a TLS server, TLS does not reach a cleartext one", async (t) => {
  const { address } = await serve(t, "optional");
  await assert.rejects(who(dial(t, address)), isUnavailable);
  const clear = createRpcServer({ clock: realClock, log: silentLog, methods: new Map() });
  t.after(() => clear.close(0));
  await assert.rejects(who(dial(t, await clear.listen({ host: "127.0.0.1", port: 0 }), { roots, expect })), isUnavailable);
});

test("openssl: TLS 1.3 with the right chain, not 1.2, no resumption", async (t) => {
  const { port } = await serve(t, "optional");
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "roots.pem"), roots);
  const session = path.join(folder, "session");
  const modern = await openssl(port, ["-tls1_3", "-CAfile", path.join(folder, "roots.pem"), "-verify_return_error", "-sess_out", session]);
  assert.match(modern, /Verify return code: 0 \(ok\)/);
  assert.match(modern, /ALPN protocol: h2/);
  const old = await openssl(port, ["-tls1_2"]);
  assert.match(old, /alert protocol version/);
  assert.match(old, /Cipher is \(NONE\)/);
  assert.doesNotMatch(await openssl(port, ["-tls1_3", "-sess_in", session]), /Reused/);
});

test("grpc-js as the client, with a certificate of ours", async (t) => {
  const { port } = await serve(t, "required");
  const own = await material(trusted, clientId);
  const credentials = grpc.credentials.createSsl(Buffer.from(roots), Buffer.from(own.key), Buffer.from(own.chain), { checkServerIdentity: () => undefined });
  const client = new grpc.Client(`localhost:${port}`, credentials);
  t.after(() => client.close());
  const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
    const same = (message: Buffer): Buffer => message;
    client.makeUnaryRequest("/t.T/Who", same, same, Buffer.alloc(0), (error, value) => (error === null ? resolve(value) : reject(error)));
  });
  assert.equal(answer?.toString(), clientId);
});

test("a SPIFFE ID is found among names only when there is exactly one URI", () => {
  assert.equal(spiffeIdIn("URI:spiffe://a/b"), "spiffe://a/b");
  assert.equal(spiffeIdIn("DNS:web, URI:spiffe://a/b"), "spiffe://a/b");
  for (const names of [undefined, "", "DNS:web", "URI:https://a", "URI:spiffe://a, URI:spiffe://b", 'DNS:"x, URI:spiffe://a/b", URI:spiffe://c'])
    assert.equal(spiffeIdIn(names), undefined, String(names));
});
