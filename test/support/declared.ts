/** Declared values with full defaults, for unit tests of several rooms. */
import assert from "node:assert/strict";
import type { DeclaredSnapshot, Write } from "../../src/model/declared.ts";
import type { AppName, Namespace, VersionName } from "../../src/model/names.ts";
import type { Config, Port, Router, Service, Stack } from "../../src/model/types.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";

export const namespace = "default" as Namespace;

export function service(name: string, changes: Partial<Service> = {}): Service {
  const [app = "", version = "v1"] = name.split("@");
  return {
    namespace,
    app: app as AppName,
    version: version as VersionName,
    command: ["serve", app],
    dir: "/srv",
    env: {},
    ports: [httpPort],
    public: true,
    health: {},
    scale: 1,
    mounts: [],
    drainMs: 30_000,
    graceMs: 10_000,
    stopSignal: "SIGTERM",
    egress: false,
    ...changes,
  };
}
export const httpPort: Port = { port: 80, containerPort: 8080, protocol: "http" };

export function config(name: string, data: Readonly<Record<string, string>>): Config {
  return { namespace, name, data };
}

export function router(name: string, changes: Partial<Router> = {}): Router {
  return { namespace, name, hosts: [], public: true, rules: [], ...changes };
}

export function stack(changes: Partial<Stack> = {}): Stack {
  return { name: "shop", namespaces: [namespace], services: [], weights: [], routers: [], externals: [], configs: [], secrets: [], ...changes };
}

/** Commits or fails the test. */
export function commit(store: MemoryStore, writes: readonly Write[]): DeclaredSnapshot {
  const result = store.commit(writes);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
