/** A node and the authority over real sockets, with TLS, from the first call on. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { SPIFFECertValidatorConfigSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js";
import { IssueRequestSchema } from "../../gen/weir/identity/v1/certificates_pb.js";
import { someAuthority, spiffe } from "../../test/support/certificates.ts";
import { eventually, realClock, silentLog } from "../../test/support/real.ts";
import { Cell } from "../lib/cell.ts";
import { failed, ok } from "../lib/problem.ts";
import { controlPlaneId, defaultTrustDomain, nodeId, type SpiffeId } from "../model/spiffe.ts";
import { connectRpc } from "../rpc/client.ts";
import { createRpcServer } from "../rpc/server.ts";
import { RpcError, Status } from "../rpc/status.ts";
import type { TlsMaterial } from "../rpc/tls.ts";
import { bundlePem } from "./bundle.ts";
import { createCertificateClient, createLocalClient } from "./certificate-client.ts";
import { createCertificateService, type Holder, issueMethod, maxRequests } from "./certificate-service.ts";
import { createKeyPair } from "./keys.ts";
import { keepNodeIdentities, type NodeIdentities } from "./node-identities.ts";
import { createRequest } from "./request.ts";
import { encodeSecrets } from "./secrets.ts";

const web = spiffe("spiffe://weir.local/ns/shop/sa/web");
const cart = spiffe("spiffe://weir.local/ns/shop/sa/cart");
const one = nodeId(defaultTrustDomain, "one");
const server = controlPlaneId(defaultTrustDomain);
const onNode: Readonly<Record<string, readonly SpiffeId[]>> = { one: [web], two: [cart] };

/** The control plane's own certificate, as the rpc server takes it. */
function material({ svids, bundle }: NodeIdentities): TlsMaterial {
  const own = svids.get(server);
  assert.ok(own !== undefined && bundle !== undefined);
  return { chain: own.chain, key: own.key, roots: bundlePem(bundle) };
}

const refused = failed<Holder>({ code: "node-token-refused", message: "a bad token" });

function holderOf(node: string): Holder {
  return { name: node, id: nodeId(defaultTrustDomain, node) };
}

async function controlPlane(t: TestContext) {
  const ended = new AbortController();
  t.after(() => ended.abort());
  const authority = await someAuthority(realClock);
  const wanted = new Cell<ReadonlySet<SpiffeId>>(new Set([server]));
  const client = createLocalClient(authority, "control plane");
  const held = keepNodeIdentities({ clock: realClock, log: silentLog, wanted, client, random: Math.random }, ended.signal);
  await eventually(() => held.get().svids.size === 1, "the control plane's certificate");
  const methods = createCertificateService({
    authority,
    log: silentLog,
    authenticate: (token) => Promise.resolve(token.startsWith("token-of-") ? ok(holderOf(token.slice(9))) : refused),
    identitiesOf: ({ name }) => new Set(onNode[name] ?? []),
  });
  const tls = { material: new Cell(material(held.get())), clientCertificate: "optional" as const };
  const rpc = createRpcServer({ clock: realClock, log: silentLog, methods, tls });
  t.after(() => rpc.close(0));
  return { authority, address: await rpc.listen({ host: "127.0.0.1", port: 0 }), roots: bundlePem(authority.bundle.get()), ended };
}

type Plane = Awaited<ReturnType<typeof controlPlane>>;

function connect({ address, roots }: Plane, own?: { readonly chain: string; readonly key: string }) {
  return connectRpc({ clock: realClock, target: address, tls: { roots, expect: { spiffeId: server }, ...(own === undefined ? {} : { own }) } });
}

function agentOf(plane: Plane, token: string, own?: { readonly chain: string; readonly key: string }) {
  return createCertificateClient({ connect: () => connect(plane, own), token: () => Promise.resolve(token) });
}

async function request(id: SpiffeId) {
  return { id, csr: await createRequest(await createKeyPair()) };
}

const isRefusal =
  (code: number) =>
  (error: unknown): boolean =>
    error instanceof RpcError && error.code === code;

test("a node gets its own identity and those of its workloads, and nothing else, each with a reason", async (t) => {
  const plane = await controlPlane(t);
  const agent = agentOf(plane, "token-of-one");
  const requests = [await request(web), await request(cart), await request(one), await request(server), { id: web, csr: new Uint8Array([1]) }];
  const { answers, bundle } = await agent.issue(requests, undefined, plane.ended.signal);
  assert.deepEqual(
    answers.map((answer) => (answer.kind === "refused" ? answer.code : answer.kind)),
    ["issued", "identity-not-here", "issued", "identity-not-here", "csr-invalid"],
  );
  assert.deepEqual(bundle, plane.authority.bundle.get());
  assert.deepEqual(Object.keys(plane.authority.state.get().nodes), ["control plane", "one"]);
});

test("who brings no token, a bad one, or another node's certificate gets nothing", async (t) => {
  const plane = await controlPlane(t);
  await assert.rejects(agentOf(plane, "nonsense").issue([], undefined, plane.ended.signal), isRefusal(Status.unauthenticated));
  const client = connect(plane);
  t.after(() => client.close());
  await assert.rejects(client.unary(issueMethod, new Uint8Array()), isRefusal(Status.unauthenticated));
  const keys = await createKeyPair();
  const [answer] = (await agentOf(plane, "token-of-one").issue([{ id: one, csr: await createRequest(keys) }], undefined, plane.ended.signal)).answers;
  assert.ok(answer?.kind === "issued");
  const own = { chain: answer.chain, key: keys.privatePem };
  await agentOf(plane, "token-of-one", own).issue([], undefined, plane.ended.signal);
  await assert.rejects(agentOf(plane, "token-of-two", own).issue([], undefined, plane.ended.signal), isRefusal(Status.permissionDenied));
});

test("what is no request, and too many, end with invalidArgument", async (t) => {
  const plane = await controlPlane(t);
  const client = connect(plane);
  t.after(() => client.close());
  const headers = { authorization: "Bearer token-of-one" };
  await assert.rejects(client.unary(issueMethod, Buffer.from([255, 255]), { headers }), isRefusal(Status.invalidArgument));
  const many = create(IssueRequestSchema, { requests: Array.from({ length: maxRequests + 1 }, () => ({ spiffeId: web })) });
  await assert.rejects(client.unary(issueMethod, toBinary(IssueRequestSchema, many), { headers }), isRefusal(Status.invalidArgument));
});

test("a keeper over the wire, and its secrets as Envoy reads them", async (t) => {
  const plane = await controlPlane(t);
  const wanted = new Cell<ReadonlySet<SpiffeId>>(new Set([one, web]));
  const client = agentOf(plane, "token-of-one");
  const held = keepNodeIdentities({ clock: realClock, log: silentLog, wanted, client, random: Math.random }, plane.ended.signal);
  await eventually(() => held.get().svids.size === 2, "certificates");
  const secrets = encodeSecrets(held.get()).map(({ name, typeUrl, body }) => {
    assert.equal(typeUrl, "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret");
    const secret = fromBinary(SecretSchema, body);
    assert.equal(secret.name, name);
    return secret;
  });
  assert.deepEqual(
    secrets.map(({ name }) => name),
    [one, web, "spiffe://weir.local"],
  );
  const [certificate, , validation] = secrets;
  assert.ok(certificate?.type.case === "tlsCertificate" && validation?.type.case === "validationContext");
  assert.equal(certificate.type.value.privateKey?.specifier.value, held.get().svids.get(one)?.key);
  const config = fromBinary(SPIFFECertValidatorConfigSchema, validation.type.value.customValidatorConfig?.typedConfig?.value ?? new Uint8Array());
  assert.deepEqual(
    config.trustDomains.map(({ name, trustBundle }) => [name, trustBundle?.specifier.value]),
    [["weir.local", plane.roots]],
  );
});
