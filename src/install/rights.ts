/** What whoever installs or uninstalls must be allowed to do. */
import { definedKinds } from "./crds.ts";
import { gatewayKinds, installKinds } from "./kinds.ts";
import { systemNamespace } from "./objects.ts";

export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Absent: of no namespace, or of all. */
  readonly namespace?: string;
}

/** Rights for an installation. Plans need them too: a trial asks the API server the same. */
export function installRights(): readonly Right[] {
  return [...rightsFor(["get", "list", "create", "patch"]), { verb: "list", group: "", resource: "pods", namespace: systemNamespace }];
}

/** Rights for the end of an installation. */
export function uninstallRights(): readonly Right[] {
  const declared = definedKinds.map(({ group, resource }) => ({ verb: "list", group, resource }));
  const gateways = gatewayKinds.flatMap(({ group, resource }) => ["list", "delete"].map((verb) => ({ verb, group, resource })));
  return [...rightsFor(["list", "delete"]), ...declared, ...gateways, { verb: "list", group: "", resource: "pods", namespace: systemNamespace }];
}

function rightsFor(verbs: readonly string[]): readonly Right[] {
  return installKinds.flatMap(({ group, resource, namespaced }) =>
    verbs.map((verb) => ({ verb, group, resource, ...(namespaced ? { namespace: systemNamespace } : {}) })),
  );
}

/** `create deployments.apps in weir-system` */
export function rightText({ verb, group, resource, namespace }: Right): string {
  return `${verb} ${resource}${group === "" ? "" : `.${group}`}${namespace === undefined ? "" : ` in ${namespace}`}`;
}
