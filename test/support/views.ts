/** Views as the API answers them, with full defaults. */
import type { JobView, ProxyView, ServiceView, SystemView } from "../../src/api/contract.ts";

const dayMs = 86_400_000;

/** A ready version with one replica that has run for three days. */
export function serviceView(given: Partial<ServiceView> = {}): ServiceView {
  return {
    namespace: "default",
    app: "web",
    version: "v1",
    state: "ready",
    ready: 1,
    wanted: 1,
    weight: 10_000,
    targetWeight: 10_000,
    url: "http://web.localhost:8080",
    versionUrl: "http://web-v1.localhost:8080",
    ports: ["80:8080/http"],
    createdAt: Date.now() - 3 * dayMs - 1_000,
    restarts: 0,
    workloads: [{ id: "web-v1-0", phase: "ready", address: "100.64.0.2", since: 0, restarts: 0 }],
    ...given,
  };
}

/** A job that ran once, three days ago, and took a second. */
export function jobView(given: Partial<JobView> = {}): JobView {
  const startedAt = Date.now() - 3 * dayMs - 1_000;
  return {
    kind: "job",
    namespace: "default",
    name: "migrate",
    state: "succeeded",
    createdAt: startedAt,
    runs: [{ name: "migrate-1-abc", cause: "h1", state: "succeeded", startedAt, endedAt: startedAt + 1_000 }],
    ...given,
  };
}

/** A proxy in sync for three days. */
export function proxyView(given: Partial<ProxyView> = {}): ProxyView {
  return { name: "node", pid: 42, version: "1.40.0", state: "synced", since: Date.now() - 3 * dayMs - 1_000, restarts: 0, ...given };
}

/** A system in which all is well. */
export function systemView(given: Partial<SystemView> = {}): SystemView {
  return {
    version: "0.1.0",
    pid: 41,
    startedAt: Date.now() - 3 * dayMs - 1_000,
    stateDir: "/state",
    sockets: {},
    gatewayUrl: "http://127.0.0.1:8080",
    agent: { state: "running", outerPid: 43, innerPid: 44 },
    proxies: [proxyView({ name: "gateway" }), proxyView()],
    counts: { services: 1, workloads: 1 },
    ...given,
  };
}
