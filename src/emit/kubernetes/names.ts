/** Names and labels of the objects that stand for apps, versions, routers and external services. */

import type { Host } from "../../compile/mesh-plan.ts";
import type { Problem } from "../../lib/problem.ts";
import type { AppName, Namespace, VersionName } from "../../model/names.ts";
import type { Protocol } from "../../model/types.ts";

/** Labels that pods of an app must carry: what the Services printed here select. */
export const appLabel = "app.kubernetes.io/name";
export const versionLabel = "app.kubernetes.io/version";

/** The label that selects all pods of an app. */
export function appSelector(app: AppName): Readonly<Record<string, string>> {
  return { [appLabel]: app };
}

/** The labels that select the pods of one version. */
export function versionSelector(app: AppName, version: VersionName): Readonly<Record<string, string>> {
  return { [appLabel]: app, [versionLabel]: version };
}

/** The name of a version's own Service. It is the name that calls of one version use everywhere: `web-v2`. */
export function versionServiceName(app: AppName, version: VersionName): string {
  return `${app}-${version}`;
}

/** The full name of a Service inside a cluster with the usual domain. */
export function serviceDomain(name: string, namespace: Namespace): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

/** A Service port's name. The prefix is what Istio reads where `appProtocol` is absent. */
export function portName(protocol: Protocol, port: number): string {
  return `${protocol}-${port}`;
}

/**
 * Problems of hosts whose name no Service may have: Kubernetes wants a letter first (RFC 1035) where Weir takes a digit,
 * too.
 */
export function nameProblems(hosts: readonly Host[]): readonly Problem[] {
  return hosts
    .filter(({ name }) => !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    .map(({ name, where }) => ({
      code: "kubernetes-name",
      message: `Kubernetes takes no Service called \`${name}\`: at most 63 of a-z, 0-9 and -, the first one a letter`,
      ...(where === undefined ? {} : { where }),
      hint: "Give it another name.",
    }));
}
