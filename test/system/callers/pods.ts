/** The lab's pods as the mesh sees them. */
import type { MeshPod } from "../../../src/model/mesh-pod.ts";
import { type AppName, defaultNamespace, type VersionName, versionKey } from "../../../src/model/names.ts";
import { identityOf } from "../../support/node-mesh.ts";
import { type PodName, pods } from "../pod-capture/lab.ts";

/** A pod of an app, strict. */
export function meshPod(name: PodName, app: string): MeshPod {
  const { uid, address, node } = pods[name];
  return { uid, address, node, namespace: defaultNamespace, name, identity: identityOf(app), mode: "strict" };
}

/** An entry of the World's endpoints: version v1 of an app is this pod. */
export function endpointsAt(app: string, pod: PodName) {
  return [versionKey(defaultNamespace, app as AppName, "v1" as VersionName), [{ id: app, address: pods[pod].address, ready: true }]] as const;
}
