import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { commit, config, router, service, stack } from "../../test/support/declared.ts";
import { runs } from "../../test/support/runs.ts";
import type { DeclaredSnapshot, Write } from "../model/declared.ts";
import type { AppName, Namespace } from "../model/names.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { diffFields, redact, sameValue } from "./diff.ts";
import { checkNames } from "./names.ts";
import { planStack } from "./plan.ts";
import { settle, undo } from "./settle.ts";

const options = { now: 1, change: "test" };
function newStore(): MemoryStore {
  return new MemoryStore({ now: () => 0 });
}
function put(name: string): Write {
  const made = service(name);
  return { op: "put", kind: "service", key: `default/${made.app}@${made.version}`, value: { service: made, origin: "command", restarts: 0 } };
}
function remove(name: string): Write {
  return { op: "delete", kind: "service", key: `default/${name}` };
}

/** What must hold of every snapshot, however it came to be. */
function assertSound({ objects }: DeclaredSnapshot): void {
  const versions = [...objects.service.values()].map(({ value }) => value.service);
  assert.deepEqual([...objects.app.keys()].toSorted(), [...new Set(versions.map(({ app }) => `default/${app}`))].toSorted(), "an app record for every app");
  for (const { value } of objects.app.values()) {
    assert.deepEqual(
      Object.keys(value.weights).toSorted(),
      versions
        .filter(({ app }) => app === value.app)
        .map(({ version }) => version as string)
        .toSorted(),
    );
    assert.equal(
      Object.values(value.weights).reduce((a, b) => a + b, 0),
      10_000,
    );
  }
  const names = new Set(versions.flatMap(({ app, version }) => [`default/${app}`, `default/${app}-${version}`]));
  assert.deepEqual([...objects.address.keys()].toSorted(), [...names].toSorted(), "an address for every name");
  const ips = [...objects.address.values()].map(({ value }) => value.ip);
  assert.equal(new Set(ips).size, ips.length, "each its own");
}

test("whatever comes and goes, weights and addresses fit, and taking it back gives what was", () => {
  const name = fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("v1", "v2", "v3")).map(([app, version]) => `${app}@${version}`);
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (batches) => {
      const store = newStore();
      for (const names of batches) {
        const before = store.snapshot.get();
        const toggles = names.map((each) => (before.objects.service.has(`default/${each}`) ? remove(each) : put(each)));
        const writes = settle(before, toggles, options);
        const after = commit(store, writes);
        assertSound(after);
        const back = newStoreAt(after);
        commit(back, settle(after, undo(before, after, { writes, accepted: after }), options));
        const restored = back.snapshot.get().objects;
        for (const kind of ["service", "app", "address"] as const) assert.deepEqual(values(restored[kind]), values(before.objects[kind]), kind);
      }
    }),
    { numRuns: runs(100) },
  );
});

function newStoreAt(snapshot: DeclaredSnapshot): MemoryStore {
  return new MemoryStore({ now: () => 0 }, snapshot);
}
function values(objects: ReadonlyMap<string, { readonly value: unknown }>): unknown {
  return Object.fromEntries([...objects].map(([key, object]) => [key, object.value]));
}

test("taking back leaves alone what somebody changed since", () => {
  const store = newStore();
  const plan = planStack(store.snapshot.get(), stack({ services: [service("web")], configs: [config("c", { a: "1" })] }), 1);
  assert.ok(plan.ok);
  const before = store.snapshot.get();
  const accepted = commit(store, plan.value.writes);
  commit(store, [{ op: "put", kind: "config", key: "default/c", stack: "shop", value: config("c", { a: "2" }) }]);
  const now = store.snapshot.get();
  const writes = undo(before, now, { writes: plan.value.writes, accepted });
  assert.equal(
    writes.some((write) => write.kind === "config"),
    false,
  );
  assert.deepEqual(
    writes.filter((write) => write.kind === "service"),
    [{ op: "delete", kind: "service", key: "default/web@v1" }],
  );
});

test("a name means one thing", () => {
  const store = newStore();
  commit(store, settle(store.snapshot.get(), [put("web"), { op: "put", kind: "router", key: "default/www", value: router("www") }], options));
  const taken = (name: string) => {
    const result = checkNames(store.snapshot.get(), service(name));
    return result.ok ? [] : result.problems.map((problem) => problem.message);
  };
  assert.deepEqual(taken("web@v2"), []);
  assert.deepEqual(taken("other"), []);
  assert.match(taken("www")[0] ?? "", /the router www/);
  assert.match(taken("web-v1")[0] ?? "", /version v1 of web/);
  commit(store, settle(store.snapshot.get(), [put("cart-v2")], options));
  assert.match(taken("cart@v2")[0] ?? "", /the app cart-v2/, "its version's name is taken");
  assert.deepEqual(checkNames(store.snapshot.get(), service("www", { namespace: "team-a" as Namespace, app: "www" as AppName })).ok, true);
});

test("differences are by leaf, in words, and say nothing of places", () => {
  const before = { a: 1, list: ["x", "y"], env: { A: { kind: "literal", value: "old" } }, where: { line: 1 } };
  const after = { a: 1, list: ["x"], env: { A: { kind: "config", name: "app", key: "k" }, B: { kind: "literal", value: "new" } }, where: { line: 2 } };
  assert.deepEqual(diffFields(before, after), [
    { path: "env.A", before: "old", after: "config app/k" },
    { path: "env.B", after: "new" },
    { path: "list.1", before: "y" },
  ]);
  assert.deepEqual(redact(diffFields({ data: { p: "secret" } }, { data: { p: "other" } })), [{ path: "data.p" }]);
  assert.equal(sameValue({ a: 1, where: { line: 1 } }, { where: { line: 2 }, a: 1 }), true);
  assert.equal(sameValue({ a: 1 }, { a: "1" }), false);
});
