/** What whoever installs or uninstalls must be allowed to do. */
import { weirGroup } from "../model/declared-kinds.ts";
import { definedKinds } from "./crds.ts";
import { gatewayKinds, installKinds } from "./kinds.ts";
import { systemNamespace } from "./objects.ts";

export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
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

/** What commands of every day need in a namespace, beside seeing it. */
export function commandRights(namespace: string): readonly { readonly command: string; readonly needs: readonly Right[] }[] {
  const ours = (verbs: readonly string[], resources: readonly string[]): readonly Right[] =>
    resources.flatMap((resource) => verbs.map((verb) => ({ verb, group: weirGroup, resource, namespace })));
  const pods = (verb: string, subresource: string): Right => ({ verb, group: "", resource: "pods", subresource, namespace });
  const data = ["configmaps", "secrets"].flatMap((resource) => ["list", "patch"].map((verb) => ({ verb, group: "", resource, namespace })));
  return [
    { command: "ps", needs: [...ours(["list"], ["versions", "apps"]), { verb: "list", group: "", resource: "pods", namespace }] },
    { command: "identity", needs: ours(["get"], ["meshreports"]) },
    { command: "logs", needs: [pods("get", "log")] },
    { command: "exec, cp", needs: [pods("create", "exec")] },
    { command: "attach", needs: [pods("create", "attach")] },
    { command: "port-forward", needs: [pods("create", "portforward")] },
    { command: "run, stage, weight, promote, scale, restart", needs: ours(["create", "patch"], ["versions", "apps"]) },
    { command: "up", needs: [...ours(["create", "patch", "delete"], ["versions", "apps", "jobs", "routers", "externalservices"]), ...data] },
    { command: "rm, down", needs: ours(["delete"], ["versions", "apps", "jobs", "routers", "externalservices"]) },
  ];
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
