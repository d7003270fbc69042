/** Declared values with full defaults, for unit tests of several rooms. */
import assert from "node:assert/strict";
import type { DeclaredSnapshot, Write } from "../../src/model/declared.ts";
import type { AppName, Namespace } from "../../src/model/names.ts";
import type { Config, Job, Router, Service, Stack } from "../../src/model/types.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { service as publicService } from "./stacks.ts";

export const namespace = "default" as Namespace;

/** As `service` of stacks.ts, with a command that tells apps apart. */
export function service(ref: string, changes: Partial<Service> = {}): Service {
  return publicService(ref, { command: ["serve", ref.split("@")[0] ?? ""], dir: "/srv", ...changes });
}

/** A job of the default namespace that runs `work` once, with the usual defaults. */
export function job(name: string, changes: Partial<Job> = {}): Job {
  const shared = { command: ["work"], dir: "/srv", env: {}, mounts: [], graceMs: 10_000, stopSignal: "SIGTERM", egress: false } as const;
  return { ...shared, namespace, name: name as AppName, retries: 3, concurrency: "forbid", keep: 3, ...changes };
}

export function config(name: string, data: Readonly<Record<string, string>>): Config {
  return { namespace, name, data };
}

export function router(name: string, changes: Partial<Router> = {}): Router {
  return { namespace, name, hosts: [], public: true, rules: [], ...changes };
}

export function stack(changes: Partial<Stack> = {}): Stack {
  return { name: "shop", namespaces: [namespace], services: [], jobs: [], weights: [], routers: [], externals: [], configs: [], secrets: [], ...changes };
}

/** Commits or fails the test. */
export function commit(store: MemoryStore, writes: readonly Write[]): DeclaredSnapshot {
  const result = store.commitNow(writes);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
