import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeProxy, type FakeProxyOptions, resource } from "../../test/support/fake-proxy.ts";
import { runs } from "../../test/support/runs.ts";
import { Conversation } from "./conversation.ts";
import { createSnapshot, type Resource, type Snapshot } from "./snapshot.ts";
import type { Published } from "./subscription.ts";
import { typeUrls } from "./type-urls.ts";
import type { DeltaRequest, DeltaResponse } from "./wire.ts";

const { cluster, endpoints, listener, route } = typeUrls;

/** Clusters with their endpoints, and a listener with one route table that uses some of them. */
function mesh(clusters: Readonly<Record<string, string>>, routes: readonly string[] = Object.keys(clusters), extra: readonly Resource[] = []): Snapshot {
  return createSnapshot([
    ...Object.entries(clusters).flatMap(([name, content]) => [resource(cluster, name, [], content.split("/")[0]), resource(endpoints, name, [], content)]),
    resource(listener, "in", ["table"]),
    resource(route, "table", routes),
    ...extra,
  ]);
}

/** A conversation and a proxy with the messages between them, delivered one by one. */
class Wire {
  proxy: FakeProxy;
  conversation = new Conversation();
  toServer: DeltaRequest[] = [];
  toProxy: DeltaResponse[] = [];
  sent: DeltaResponse[] = [];
  #newest: Published | undefined;

  constructor(options: FakeProxyOptions = {}) {
    this.proxy = new FakeProxy(options);
    this.toServer = this.proxy.connect();
  }

  publish(snapshot: Snapshot): number {
    this.#newest = { revision: (this.#newest?.revision ?? 0) + 1, snapshot };
    this.conversation.publish(this.#newest);
    this.#push();
    return this.#newest.revision;
  }

  reconnect(): void {
    this.conversation = new Conversation();
    if (this.#newest !== undefined) this.conversation.publish(this.#newest);
    this.toProxy = [];
    this.toServer = this.proxy.connect();
  }

  losePatience(): void {
    this.conversation.losePatience();
    this.#push();
  }

  /** Delivers one message, to the server for an even choice. */
  step(choice: number): boolean {
    const toServer = this.toServer.length > 0 && (choice % 2 === 0 || this.toProxy.length === 0);
    if (toServer) {
      const request = this.toServer.shift();
      if (request !== undefined) this.conversation.take(request, 1000);
      this.#push();
      return true;
    }
    const response = this.toProxy.shift();
    if (response !== undefined) this.toServer.push(...this.proxy.receive(response));
    return response !== undefined;
  }

  /** Delivers everything. Returns the journal since the last call. */
  settle(): string[] {
    for (let steps = 0; this.step(0); steps += 1) assert.ok(steps < 10_000, "it goes round in circles");
    return this.proxy.journal.splice(0);
  }

  #push(): void {
    const pushes = this.conversation.pushes();
    this.toProxy.push(...pushes);
    this.sent.push(...pushes);
  }
}

function assertHas(proxy: FakeProxy, snapshot: Snapshot): void {
  for (const typeUrl of [cluster, endpoints, listener, route]) {
    const wanted = [...(snapshot.types.get(typeUrl)?.resources ?? [])].map(([name, { version }]) => [name, version]);
    assert.deepEqual(Object.fromEntries(proxy.versions(typeUrl)), Object.fromEntries(wanted), typeUrl);
  }
}

test("a fresh proxy gets clusters, endpoints, listeners, routes, in this order", () => {
  const wire = new Wire();
  const revision = wire.publish(mesh({ a: "1", b: "1" }));
  assert.equal(wire.conversation.hasSettled(revision), false);
  assert.deepEqual(wire.settle(), [
    "+Cluster a",
    "+Cluster b",
    "+ClusterLoadAssignment a",
    "+ClusterLoadAssignment b",
    "+Listener in",
    "+RouteConfiguration table",
  ]);
  assert.equal(wire.conversation.hasSettled(revision), true);
});

test("a fresh proxy is answered even when there is nothing to say, a known one is not", () => {
  const wire = new Wire();
  wire.publish(createSnapshot([]));
  wire.settle();
  assert.deepEqual(
    wire.sent.map(({ typeUrl, updates, removed }) => [typeUrl, updates.length + removed.length]),
    [
      [cluster, 0],
      [listener, 0],
    ],
  );
  const known = new Wire();
  known.publish(mesh({ a: "1" }));
  known.settle();
  known.sent = [];
  known.reconnect();
  known.settle();
  assert.deepEqual(known.sent, []);
});

test("moving to a new cluster: the new one first, then the route, then the old one goes", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1" }));
  wire.settle();
  wire.publish(mesh({ b: "1" }));
  assert.deepEqual(wire.settle(), ["+Cluster b", "+ClusterLoadAssignment b", "+RouteConfiguration table", "-Cluster a"]);
  assert.deepEqual(wire.proxy.faults, []);
});

test("a changed cluster gets its endpoints again, or the proxy would wait for them", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1", b: "1" }));
  wire.settle();
  wire.publish(mesh({ a: "2", b: "1" }));
  assert.deepEqual(wire.settle(), ["+Cluster a", "+ClusterLoadAssignment a"]);
  assert.deepEqual(wire.proxy.cold(), []);
});

test("a storm costs one push for what is under way and one for the newest", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1" }));
  wire.settle();
  for (let at = 0; at < 1000; at += 1) wire.publish(mesh({ a: `1/${at}` }));
  assert.deepEqual(wire.settle(), ["+ClusterLoadAssignment a", "+ClusterLoadAssignment a"]);
  assertHas(wire.proxy, mesh({ a: "1/999" }));
});

test("endless changes of endpoints do not starve a route", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1", b: "1" }, ["a"]));
  wire.settle();
  for (let at = 0; at < 20; at += 1) {
    wire.publish(mesh({ a: `1/${at}`, b: "1" }, ["b"]));
    wire.step(1);
    wire.publish(mesh({ a: `1/${at}+`, b: "1" }, ["b"]));
    wire.step(0);
  }
  assert.ok(wire.proxy.journal.includes("+RouteConfiguration table"));
});

test("one bad cluster among many: the others arrive, the verdict is on it alone, it is not sent again before it changes", () => {
  let tries = 0;
  const refuse: FakeProxyOptions["refuse"] = (typeUrl, name) => {
    if (typeUrl !== cluster || name !== "bad") return undefined;
    tries += 1;
    return "Error adding/updating cluster(s) bad: no such thing";
  };
  const wire = new Wire({ refuse });
  wire.publish(mesh({ a: "1", bad: "1", c: "1" }, ["a", "c"]));
  wire.settle();
  assert.deepEqual([...wire.proxy.versions(cluster).keys()], ["a", "c"]);
  assert.deepEqual([...wire.proxy.versions(route).keys()], ["table"]);
  assert.equal(tries, 2);
  const revision = wire.publish(mesh({ a: "1/2", bad: "1", c: "1" }, ["a", "c"]));
  wire.settle();
  assert.equal(tries, 2);
  assert.equal(wire.conversation.hasSettled(revision), true);
  assert.deepEqual(wire.conversation.status().get(cluster)?.rejected, [
    { name: "bad", version: resource(cluster, "bad", [], "1").version, message: "Error adding/updating cluster(s) bad: no such thing", at: 1000 },
  ]);
  wire.publish(mesh({ a: "1", bad: "2", c: "1" }, ["a", "c"]));
  wire.settle();
  assert.equal(tries, 3);
});

test("a message that names nobody: each is tried alone, the good ones arrive", () => {
  const wire = new Wire({ refuse: (typeUrl, name) => (typeUrl === endpoints && name === "b" ? "malformed" : undefined) });
  wire.publish(mesh({ a: "1", b: "1", c: "1" }, ["a", "c"]));
  wire.settle();
  assert.deepEqual([...wire.proxy.versions(endpoints).keys()].sort(), ["a", "c"]);
  assert.deepEqual(
    wire.conversation
      .status()
      .get(endpoints)
      ?.rejected.map(({ name }) => name),
    ["b"],
  );
  assert.deepEqual([...wire.proxy.versions(route).keys()], ["table"]);
});

test("a route that would use a refused cluster is held back: the old one keeps working, and so does its cluster", () => {
  const wire = new Wire({ refuse: (typeUrl, name) => (typeUrl === cluster && name === "bad" ? "bad: no" : undefined) });
  const before = mesh({ a: "1" });
  wire.publish(before);
  wire.settle();
  const revision = wire.publish(mesh({ bad: "1" }));
  assert.deepEqual(wire.settle(), []);
  assertHas(wire.proxy, before);
  assert.deepEqual(wire.conversation.status().get(route)?.heldBack, ["table"]);
  assert.equal(wire.conversation.hasSettled(revision), true);
  wire.publish(mesh({ good: "1" }));
  assert.deepEqual(wire.settle(), ["+Cluster good", "+ClusterLoadAssignment good", "+RouteConfiguration table", "-Cluster a"]);
  assert.deepEqual(wire.conversation.status().get(route)?.heldBack, []);
});

test("a proxy that has nothing yet gets its routes although one of their clusters is refused", () => {
  const wire = new Wire({ refuse: (typeUrl, name) => (typeUrl === cluster && name === "bad" ? "bad: no" : undefined) });
  const revision = wire.publish(mesh({ a: "1", bad: "1" }));
  assert.deepEqual([...new Set(wire.settle())], ["+Cluster a", "+ClusterLoadAssignment a", "+Listener in", "+RouteConfiguration table"]);
  assert.equal(wire.conversation.hasSettled(revision), true);
});

test("a refused route keeps its clusters alive", () => {
  let bad = "";
  const wire = new Wire({ refuse: (typeUrl, _name, version) => (typeUrl === route && version === bad ? "no" : undefined) });
  wire.publish(mesh({ a: "1" }));
  wire.settle();
  bad = resource(route, "table", ["b"]).version;
  wire.publish(mesh({ b: "1" }));
  assert.deepEqual(wire.settle(), ["+Cluster b", "+ClusterLoadAssignment b"]);
  assert.deepEqual(wire.proxy.faults, []);
  assert.deepEqual([...wire.proxy.versions(cluster).keys()], ["a", "b"]);
});

test("after a reconnect only what changed is sent, and what is gone is taken away once nothing can use it", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1", b: "1" }, ["a"]));
  wire.settle();
  wire.publish(mesh({ a: "1/2", c: "1" }, ["c"]));
  wire.reconnect();
  assert.deepEqual(wire.settle(), ["+Cluster c", "+ClusterLoadAssignment a", "+ClusterLoadAssignment c", "+RouteConfiguration table", "-Cluster b"]);
  assert.deepEqual(wire.proxy.faults, []);
});

test("names nobody asks for hold routes up until they are waived", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1" }, ["a"], [resource(endpoints, "orphan")]));
  wire.settle();
  assert.deepEqual([...wire.proxy.versions(listener).keys()], []);
  assert.deepEqual(wire.conversation.unasked(), [{ typeUrl: endpoints, name: "orphan" }]);
  wire.conversation.waive(wire.conversation.unasked());
  const revision = wire.publish(mesh({ a: "1/2" }, ["a"], [resource(endpoints, "orphan")]));
  wire.settle();
  assert.deepEqual([...wire.proxy.versions(route).keys()], ["table"]);
  assert.equal(wire.conversation.hasSettled(revision), true);
});

test("a name that does not exist is answered at once, and sent when it comes to exist", () => {
  const conversation = new Conversation();
  const request = { nodeId: "n", typeUrl: typeUrls.secret, subscribe: ["key"], unsubscribe: [], initialVersions: new Map(), nonce: "" };
  conversation.take(request, 0);
  assert.deepEqual(conversation.pushes(), []);
  conversation.publish({ revision: 1, snapshot: createSnapshot([]) });
  const [first] = conversation.pushes();
  assert.deepEqual(first?.removed, ["key"]);
  conversation.take({ ...request, subscribe: [], nonce: first?.nonce ?? "" }, 0);
  assert.deepEqual(conversation.pushes(), []);
  conversation.publish({ revision: 2, snapshot: createSnapshot([resource(typeUrls.secret, "key")]) });
  assert.deepEqual(
    conversation.pushes().map(({ updates }) => updates.map(({ name }) => name)),
    [["key"]],
  );
});

test("what needs no message counts as sent and acknowledged: endpoints that were given up before they could be taken away are not pending", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1" }));
  wire.settle();
  wire.publish(createSnapshot([resource(listener, "in", ["table"]), resource(route, "table", [])]));
  // As Envoy does it: on the removal of a cluster it gives up the endpoints first, then acknowledges.
  while (wire.step(0)) wire.toServer.sort((x, y) => y.unsubscribe.length - x.unsubscribe.length);
  const pending = [...wire.conversation.status()].filter(([, { sentVersion, ackedVersion }]) => sentVersion !== ackedVersion);
  assert.deepEqual(pending, []);
});

test("asking again gets an answer again; answers to old nonces are ignored", () => {
  const wire = new Wire();
  wire.publish(mesh({ a: "1" }));
  wire.settle();
  const again = { nodeId: "node", typeUrl: endpoints, subscribe: ["a"], unsubscribe: [], initialVersions: new Map(), nonce: "" };
  wire.toServer.push(again);
  assert.deepEqual(wire.settle(), ["+ClusterLoadAssignment a"]);
  wire.toServer.push({ ...again, subscribe: [], nonce: "1", error: "late and wrong" });
  wire.settle();
  assert.deepEqual(wire.conversation.status().get(endpoints)?.rejected, []);
});

const names = ["a", "b", "c", "d"] as const;
const anyMesh = fc
  .record({
    clusters: fc.dictionary(fc.constantFrom(...names), fc.constantFrom("1", "1/x", "2", "2/x"), { minKeys: 1 }),
    used: fc.array(fc.nat(), { maxLength: 3 }),
  })
  .map(({ clusters, used }) => {
    const there = Object.keys(clusters);
    return mesh(
      clusters,
      used.map((at) => there[at % there.length] ?? "").filter((name) => name !== ""),
    );
  });
const anyAction = fc.oneof(
  { weight: 3, arbitrary: anyMesh.map((snapshot) => ({ kind: "publish" as const, snapshot })) },
  { weight: 8, arbitrary: fc.array(fc.nat({ max: 1 }), { maxLength: 8 }).map((choices) => ({ kind: "deliver" as const, choices })) },
  { weight: 1, arbitrary: fc.constant({ kind: "reconnect" as const }) },
);

test("whatever happens in whatever order: no route ever uses what is not there, and in the end the proxy has the newest state of the world", () => {
  const check = (actions: readonly (typeof anyAction extends fc.Arbitrary<infer Action> ? Action : never)[], last: Snapshot, eager: boolean): void => {
    const wire = new Wire({ eager });
    for (const action of actions) {
      if (action.kind === "publish") wire.publish(action.snapshot);
      else if (action.kind === "reconnect") wire.reconnect();
      else for (const choice of action.choices) wire.step(choice);
    }
    const revision = wire.publish(last);
    wire.settle();
    if (actions.some(({ kind }) => kind === "reconnect")) {
      // A proxy cut off while it waited for endpoints needs the nudge; when they are no more, only its own time limit helps.
      wire.losePatience();
      wire.settle();
      wire.toServer.push(...wire.proxy.timeOut());
      wire.settle();
    }
    assert.deepEqual(wire.proxy.faults, []);
    assert.deepEqual(wire.proxy.cold(), []);
    assertHas(wire.proxy, last);
    assert.equal(wire.conversation.hasSettled(revision), true);
  };
  fc.assert(fc.property(fc.array(anyAction, { maxLength: 40 }), anyMesh, fc.boolean(), check), { numRuns: runs(500) });
});

test("refusals at random never break traffic, and the rest arrives", () => {
  const check = (refused: ReadonlySet<string>, snapshots: readonly Snapshot[], named: boolean): void => {
    const wire = new Wire({
      refuse: (typeUrl, name, version) =>
        refused.has(`${typeUrl === cluster ? "cds" : "eds"} ${name}`) && typeUrl !== route && typeUrl !== listener
          ? `${named ? name : "?"} ${version}`
          : undefined,
    });
    for (const snapshot of snapshots) {
      const revision = wire.publish(snapshot);
      wire.settle();
      assert.deepEqual(wire.proxy.faults, []);
      assert.equal(wire.conversation.hasSettled(revision), true);
    }
  };
  const refusals = fc.uniqueArray(fc.constantFrom(...names.flatMap((name) => [`cds ${name}`, `eds ${name}`])), { maxLength: 3 }).map((list) => new Set(list));
  fc.assert(fc.property(refusals, fc.array(anyMesh, { minLength: 1, maxLength: 6 }), fc.boolean(), check), { numRuns: runs(300) });
});
