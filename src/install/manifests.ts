/** All objects of an installation, in the order in which they are made. */
import { controlObjects } from "./control.ts";
import { definitionObjects } from "./crds.ts";
import { nodeDaemonSet } from "./node.ts";
import { type InstallObject, labelsOf, systemNamespace } from "./objects.ts";
import { accessObjects } from "./rbac.ts";
import { reportDefinition } from "./report-crd.ts";
import type { InstallSettings } from "./settings.ts";
import { validationObject } from "./validation.ts";

/**
 * What is applied each time, without the authority's objects (authority.ts).
 * Pods of the node agent are privileged, which the namespace must allow where pod security is enforced.
 */
export function installObjects(settings: InstallSettings): readonly InstallObject[] {
  return [
    namespaceObject(settings.version),
    ...definitionObjects(),
    reportDefinition(),
    ...accessObjects(),
    ...controlObjects(settings),
    nodeDaemonSet(settings),
    validationObject(),
  ];
}

function namespaceObject(version: string): InstallObject {
  const labels = { ...labelsOf("weir"), "pod-security.kubernetes.io/enforce": "privileged" };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: systemNamespace, labels, annotations: { "weir.dev/version": version } } };
}
