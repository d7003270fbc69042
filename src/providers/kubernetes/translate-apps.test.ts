import assert from "node:assert/strict";
import { test } from "node:test";
import { namespace, service } from "../../../test/support/declared.ts";
import type { Declared, DeclaredApp } from "../../model/declared.ts";
import type { AppKey, AppName } from "../../model/names.ts";
import { completeApps } from "./translate-apps.ts";

function versions(...names: readonly string[]): ReadonlyMap<string, Declared<"service">> {
  const objects = names.map((name, at): Declared<"service"> => {
    const value = { service: service(`web@${name}`), origin: "file" as const, restarts: 0 };
    return { kind: "service", key: `default/web@${name}`, generation: 1, version: 10 + at, createdAt: at, updatedAt: at, value };
  });
  return new Map(objects.map((object) => [object.key, object]));
}

function apps(weights: Readonly<Record<string, number>>, more: Partial<DeclaredApp> = {}): ReadonlyMap<string, Declared<"app">> {
  const value = { namespace, app: "web" as AppName, weights, history: [], ...more };
  return new Map([["default/web", { kind: "app", key: "default/web", generation: 2, version: 9, createdAt: 0, updatedAt: 0, value }]]);
}

const key = "default/web" as AppKey;

test("a complete App is the identical object", () => {
  const declared = apps({ v1: 9000, v2: 1000 });
  assert.equal(completeApps(versions("v1", "v2"), declared).get(key), declared.get(key));
});

test("versions that come first or go get what they would by a command", () => {
  const weights = (declared: ReadonlyMap<string, Declared<"app">>, ...names: readonly string[]): unknown =>
    completeApps(versions(...names), declared).get(key)?.value.weights;
  assert.deepEqual(weights(apps({ v1: 10_000 }), "v1", "v2"), { v1: 10_000, v2: 0 });
  assert.deepEqual(weights(apps({ v1: 5000, v2: 5000 }), "v1"), { v1: 10_000 });
  assert.deepEqual(weights(new Map(), "v7", "v1"), { v1: 0, v7: 10_000 }, "nobody declared the App: its oldest version has everything");
});

test("an App that does not exist says so by its version, one without versions is left out", () => {
  assert.equal(completeApps(versions("v1"), new Map()).get(key)?.version, 0);
  assert.deepEqual([...completeApps(new Map(), apps({ v1: 10_000 })).keys()], []);
});

test("a rollout goes on with the versions that are left", () => {
  const moving = apps({ v1: 0, v2: 10_000 }, { rollout: { from: { v1: 10_000, v2: 0 }, startedAt: 0, durationMs: 1000 } });
  assert.deepEqual(completeApps(versions("v1", "v2", "v3"), moving).get(key)?.value.rollout?.from, { v1: 10_000, v2: 0, v3: 0 });
});
