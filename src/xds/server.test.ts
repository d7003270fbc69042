/** The server over real streams, with a simulated proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { acked, encode, mesh, start, useAds } from "../../test/support/ads-streams.ts";
import { resource } from "../../test/support/fake-proxy.ts";
import { eventually } from "../../test/support/real.ts";
import { Status } from "../rpc/status.ts";
import { createSnapshot } from "./snapshot.ts";
import { typeUrls } from "./type-urls.ts";

const { cluster, endpoints, listener, route } = typeUrls;

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
