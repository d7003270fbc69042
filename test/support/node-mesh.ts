/** Pods of a mesh, and what the proxy of a node does with them, for tests. */
import { compileWorld } from "../../src/compile/compile.ts";
import type { MeshPlan } from "../../src/compile/mesh-plan.ts";
import type { MeshPods, PinnedPod } from "../../src/model/mesh-pod.ts";
import { type AppName, defaultNamespace, type VersionKey, type VersionName, versionKey } from "../../src/model/names.ts";
import { defaultTrustDomain, type SpiffeId, workloadId } from "../../src/model/spiffe.ts";
import type { Service } from "../../src/model/types.ts";
import type { Endpoint } from "../../src/model/world.ts";
import { runningWorld } from "./running-world.ts";
import { stack } from "./stacks.ts";

/** The identity of an app of the default namespace. */
export function identityOf(app: string): SpiffeId {
  return workloadId(defaultTrustDomain, defaultNamespace, app as AppName);
}

/** A strict pod `web-1` of the app `web`, at `address` of a node. */
export function pinnedPod(name: string, node: string, address: string, said: Partial<PinnedPod> = {}): PinnedPod {
  const identity = identityOf(name.split("-")[0] ?? name);
  return { uid: name, namespace: defaultNamespace, name, node, address, identity, mode: "strict", networkNamespace: `/run/weir/pods/${name}`, ...said };
}

/** A mesh in which all of these have joined. */
export function meshOf(pods: readonly PinnedPod[]): MeshPods {
  return { trustDomain: defaultTrustDomain, joined: new Map(pods.map((pod) => [pod.address, pod])), pinned: Map.groupBy(pods, ({ node }) => node) };
}

/** Endpoints of the first version of an app. */
export function replicas(app: string, endpoints: readonly Partial<Endpoint>[]): readonly [VersionKey, readonly Endpoint[]] {
  const all = endpoints.map((one) => ({ id: `${app}@${one.address}`, address: "", ready: true, ...one }));
  return [versionKey(defaultNamespace, app as AppName, "v1" as VersionName), all];
}

/** Everything about traffic between `services` whose replicas are these. */
export function planWith(services: readonly Service[], endpoints: readonly (readonly [VersionKey, readonly Endpoint[]])[]): MeshPlan {
  return compileWorld({ ...runningWorld(stack({ services }), []), endpoints: new Map(endpoints) }).plan;
}
