/** The server over real streams, with a simulated proxy. */
import assert from "node:assert/strict";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.js";
import { FakeProxy, type FakeProxyOptions, resource } from "../../test/support/fake-proxy.ts";
import { eventually, realClock, silentLog, temporaryFolder } from "../../test/support/real.ts";
import { type ClientCall, connectRpc } from "../rpc/client.ts";
import { createRpcServer } from "../rpc/server.ts";
import { Status } from "../rpc/status.ts";
import { type AdsServer, createAdsServer } from "./server.ts";
import { createSnapshot, type Snapshot } from "./snapshot.ts";
import { typeUrls } from "./type-urls.ts";
import type { DeltaRequest } from "./wire.ts";

const { cluster, endpoints, listener, route } = typeUrls;
const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

function mesh(content: string, routes: readonly string[] = ["web"]): Snapshot {
  const all = ["web", ...routes.filter((name) => name !== "web")];
  return createSnapshot([
    ...all.flatMap((name) => [resource(cluster, name), resource(endpoints, name, [], content)]),
    resource(listener, "in", ["table"]),
    resource(route, "table", routes),
  ]);
}

function encode(request: DeltaRequest): Uint8Array {
  const message = create(DeltaDiscoveryRequestSchema, {
    node: { id: request.nodeId },
    typeUrl: request.typeUrl,
    resourceNamesSubscribe: [...request.subscribe],
    resourceNamesUnsubscribe: [...request.unsubscribe],
    initialResourceVersions: Object.fromEntries(request.initialVersions),
    responseNonce: request.nonce,
    ...(request.error === undefined ? {} : { errorDetail: { code: 13, message: request.error } }),
  });
  return toBinary(DeltaDiscoveryRequestSchema, message);
}

async function useAds(t: TestContext, subscriptionGraceMs = 2000) {
  const ads = createAdsServer({ clock: realClock, log: silentLog, subscriptionGraceMs });
  const server = createRpcServer({ clock: realClock, log: silentLog, methods: ads.methods });
  t.after(() => server.close(0));
  const address = await server.listen({ path: path.join(temporaryFolder(t), "xds.sock") });
  const connect = (): ClientCall => {
    const client = connectRpc({ clock: realClock, target: address });
    t.after(() => client.close());
    return client.stream(method);
  };
  return { ads, server, connect };
}

/** Runs a proxy on a stream until the stream ends. */
async function run(proxy: FakeProxy, call: ClientCall): Promise<void> {
  const send = async (requests: readonly DeltaRequest[]): Promise<void> => {
    for (const request of requests) await call.write([encode(request)]);
  };
  await send(proxy.connect());
  for await (const bytes of call.messages) {
    const { typeUrl, nonce, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const updates = resources.map(({ name, version, resource: any }) => ({ name, version, body: any?.value ?? new Uint8Array(0) }));
    await send(proxy.receive({ typeUrl, nonce, updates, removed: removedResources }));
  }
}

/** Starts a proxy; returns it and a way to cut its stream. */
function start(connect: () => ClientCall, options: FakeProxyOptions = {}, proxy = new FakeProxy(options)) {
  const call = connect();
  const ended = run(proxy, call).catch(() => undefined);
  return { proxy, call, cut: () => (call.cancel(), ended) };
}

function acked(ads: AdsServer, revision: number, nodeId = "node") {
  return ads.waitAcked(nodeId, revision, AbortSignal.timeout(5000));
}

test("published before or after it connects: the proxy has it, and the server knows", async (t) => {
  const { ads, connect } = await useAds(t);
  const first = ads.publish("node", mesh("1"));
  assert.deepEqual(await ads.waitAcked("node", first, AbortSignal.timeout(50)), { kind: "pending", connected: false });
  const waiting = acked(ads, first);
  const { proxy, cut } = start(connect);
  assert.deepEqual(await waiting, { kind: "acked" });
  assert.deepEqual(await acked(ads, ads.publish("node", mesh("2", ["v2"]))), { kind: "acked" });
  assert.deepEqual(proxy.faults, []);
  const [status] = ads.status();
  assert.deepEqual([status?.nodeId, status?.connected, status?.streams, status?.revision], ["node", true, 1, 2]);
  assert.deepEqual([...(status?.types.keys() ?? [])], [cluster, endpoints, listener, route]);
  for (const type of status?.types.values() ?? []) assert.equal(type.ackedVersion, type.sentVersion);
  await cut();
  await eventually(() => ads.status()[0]?.connected === false, "it is seen to be gone");
  assert.equal(ads.status()[0]?.types.size, 4);
});

test("equal content is silent and has the same revision", async (t) => {
  const { ads, connect } = await useAds(t);
  const first = ads.publish("node", mesh("1"));
  const { proxy } = start(connect);
  await acked(ads, first);
  proxy.journal.splice(0);
  const changes = ads.changes.get();
  assert.equal(ads.publish("node", mesh("1")), first);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(proxy.journal, []);
  assert.equal(ads.changes.get(), changes);
});

test("a refusal is an outcome of its own, and what was good stays", async (t) => {
  const { ads, connect } = await useAds(t);
  const bad = resource(route, "table", ["v2"]).version;
  const { proxy } = start(connect, { refuse: (_type, _name, version) => (version === bad ? "table: I do not like it" : undefined) });
  await acked(ads, ads.publish("node", mesh("1")));
  const outcome = await acked(ads, ads.publish("node", mesh("1", ["v2"])));
  assert.ok(outcome.kind === "rejected");
  assert.deepEqual(
    outcome.types.get(route)?.rejected.map(({ name, message }) => [name, message]),
    [["table", "table: I do not like it"]],
  );
  assert.equal(proxy.versions(route).get("table"), resource(route, "table", ["web"]).version);
  assert.deepEqual(await acked(ads, ads.publish("node", mesh("1", ["v3"]))), { kind: "acked" });
});

test("a proxy that comes back gets only what changed meanwhile", async (t) => {
  const { ads, connect } = await useAds(t);
  const { proxy, cut } = start(connect);
  await acked(ads, ads.publish("node", mesh("1")));
  await cut();
  await eventually(() => ads.status()[0]?.connected === false, "it is seen to be gone");
  const revision = ads.publish("node", mesh("2"));
  proxy.journal.splice(0);
  start(connect, {}, proxy);
  assert.deepEqual(await acked(ads, revision), { kind: "acked" });
  assert.deepEqual(proxy.journal, ["+ClusterLoadAssignment web"]);
});

test("two proxies of one node (one replaces the other): both must have it", async (t) => {
  const { ads, connect } = await useAds(t);
  const old = start(connect);
  await acked(ads, ads.publish("node", mesh("1")));
  const next = start(connect);
  await eventually(() => ads.status()[0]?.streams === 2, "both are there");
  const revision = ads.publish("node", mesh("2"));
  assert.deepEqual(await acked(ads, revision), { kind: "acked" });
  for (const { proxy } of [old, next]) assert.equal(proxy.versions(endpoints).get("web"), resource(endpoints, "web", [], "2").version);
  await old.cut();
  assert.deepEqual(await acked(ads, ads.publish("node", mesh("3"))), { kind: "acked" });
});

test("a storm of a thousand changes is a few pushes", async (t) => {
  const { ads, connect } = await useAds(t);
  const { proxy } = start(connect);
  await acked(ads, ads.publish("node", mesh("0")));
  proxy.journal.splice(0);
  let revision = 0;
  for (let at = 1; at <= 1000; at += 1) {
    revision = ads.publish("node", mesh(String(at)));
    if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await acked(ads, revision), { kind: "acked" });
  assert.ok(proxy.journal.length <= 40, `${proxy.journal.length} pushes`);
  assert.equal(proxy.versions(endpoints).get("web"), resource(endpoints, "web", [], "1000").version);
});

test("a proxy that never reads costs no more with every change, and holds up nobody else", async (t) => {
  const { ads, connect } = await useAds(t);
  const large = (content: string): Snapshot => createSnapshot([resource(cluster, "web", [], content.repeat(500_000))]);
  ads.publish("node", large("a"));
  const deaf = connect();
  await deaf.write([encode({ nodeId: "node", typeUrl: cluster, subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: "" })]);
  await eventually(() => ads.status()[0]?.connected === true, "it is there");
  const { proxy } = start(connect, { nodeId: "other" });
  const before = process.memoryUsage().rss;
  for (let at = 0; at < 300; at += 1) {
    ads.publish("node", large(String.fromCharCode(97 + (at % 26))));
    assert.deepEqual(await acked(ads, ads.publish("other", mesh(String(at))), "other"), { kind: "acked" });
  }
  const grown = (process.memoryUsage().rss - before) / 1e6;
  // Kept, they would be 300 MB: each once as it is and once framed.
  assert.ok(grown < 150, `${grown} MB more for 300 changes of 0.5 MB`);
  assert.deepEqual(proxy.faults, []);
  assert.deepEqual(await ads.waitAcked("node", 300, AbortSignal.timeout(20)), { kind: "pending", connected: true });
});

test("names that nobody asks for delay, they do not block", async (t) => {
  const { ads, connect } = await useAds(t, 60);
  const { proxy } = start(connect);
  const snapshot = createSnapshot([...[...mesh("1").types.values()].flatMap(({ resources }) => [...resources.values()]), resource(endpoints, "orphan")]);
  assert.deepEqual(await acked(ads, ads.publish("node", snapshot)), { kind: "acked" });
  assert.deepEqual([...proxy.versions(route).keys()], ["table"]);
});

test("requests that are none end the stream with invalidArgument; others go on", async (t) => {
  const { ads, connect } = await useAds(t);
  for (const bytes of [
    Buffer.from("rubbish"),
    encode({ nodeId: "", typeUrl: cluster, subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: "" }),
  ]) {
    const call = connect();
    await call.write([bytes]);
    await assert.rejects(call.messages.next(), { code: Status.invalidArgument });
  }
  start(connect);
  assert.deepEqual(await acked(ads, ads.publish("node", mesh("1"))), { kind: "acked" });
  ads.forget("node");
  assert.deepEqual(ads.status(), []);
});
