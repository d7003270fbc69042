/** A World as it is while everything of a stack runs: names have addresses, versions have replicas, callers are captured. */
import { compileWorld } from "../../src/compile/compile.ts";
import { worldOfStack } from "../../src/compile/world-of-stack.ts";
import { type AppName, defaultNamespace, type VersionKey, type VersionName, versionKey } from "../../src/model/names.ts";
import type { Stack } from "../../src/model/types.ts";
import type { CapturePoint, Endpoint, World } from "../../src/model/world.ts";

/** A workload that calls. */
export function capturePoint(workload: string, said: Partial<CapturePoint> = {}): CapturePoint {
  const [app = "", version = "v1"] = workload.split("-");
  return {
    workload,
    namespace: defaultNamespace,
    app: app as AppName,
    version: version as VersionName,
    networkNamespace: `/run/weir/ns/${workload}`,
    address: "100.64.0.2",
    port: 15_001,
    egress: false,
    ...said,
  };
}

/** Addresses are given in the order of the plan's hosts; every version has one ready replica. */
export function runningWorld(stack: Stack, captures: readonly CapturePoint[]): World {
  const world = worldOfStack(stack);
  const names = compileWorld(world).plan.hosts.map((host) => `${host.namespace}/${host.name}`);
  const services = [...world.apps.values()].flatMap((app) => [...app.versions.values()]);
  const endpoints = services.map((one, index): readonly [VersionKey, readonly Endpoint[]] => [
    versionKey(one.namespace, one.app, one.version),
    [{ id: `${one.app}-${one.version}-1`, address: addressAt("100.64", index + 9), ready: true }],
  ]);
  const addresses = new Map(names.map((name, index) => [name, addressAt("100.100", index + 1)]));
  return { ...world, addresses, endpoints: new Map(endpoints), captures };
}

function addressAt(network: string, index: number): string {
  return `${network}.${index >> 8}.${index & 255}`;
}
