import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, config, service } from "../../test/support/declared.ts";
import type { DeclaredSnapshot, Write } from "../model/declared.ts";
import type { VersionStatus } from "../providers/kubernetes/declared-status.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Freshness, staleMs } from "./freshness.ts";

const key = "default/web@v1";

function statusOf(hash: string): ReadonlyMap<string, VersionStatus> {
  return new Map([[key, { observedGeneration: 1, hash, state: "ready", ready: 1, wanted: 1, weight: 10_000, conditions: [] }]]);
}

test("after a config changed, the status of whoever uses it counts again when it has another hash, or after a while", () => {
  const store = new MemoryStore({ now: () => 0 });
  const put = (text: string): DeclaredSnapshot =>
    commit(store, [{ op: "put", kind: "config", key: "default/texts", value: config("texts", { banner: text }) }]);
  put("one");
  const web = service("web@v1", { env: { BANNER: { kind: "config", name: "texts", key: "banner" } } });
  const write: Write = { op: "put", kind: "service", key, value: { service: web, origin: "file", restarts: 0 } };
  const first = commit(store, [write]);
  const freshness = new Freshness();
  const stale = (declared: DeclaredSnapshot, hash: string, now: number) => [...freshness.stale(declared, { service: statusOf(hash), job: new Map() }, now)];
  assert.deepEqual(stale(first, "h1", 0), []);
  const second = put("two");
  assert.deepEqual(stale(second, "h1", 10), [key]);
  assert.deepEqual(stale(second, "h1", 20), [key]);
  assert.deepEqual(stale(second, "h2", 30), []);
  const third = put("three");
  assert.deepEqual(stale(third, "h2", 40), [key]);
  assert.deepEqual(stale(third, "h2", 40 + staleMs), [], "a control plane that never says another hash is believed in the end");
  assert.deepEqual(stale(third, "h2", 41 + staleMs), []);
});
