/** The kinds of objects that an installation has, or ever had. */

export interface InstallKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  /** As addresses have it. */
  readonly resource: string;
  readonly namespaced: boolean;
}

function kindOf(apiVersion: string, kind: string, resource: string, namespaced = true): InstallKind {
  const [first = "", second] = apiVersion.split("/");
  return { apiVersion, kind, resource, namespaced, group: second === undefined ? "" : first, version: second ?? first };
}

const rbac = "rbac.authorization.k8s.io/v1";

/** In the order in which they are made; they are removed the other way round. */
export const installKinds: readonly InstallKind[] = [
  kindOf("v1", "Namespace", "namespaces", false),
  kindOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
  kindOf("v1", "ServiceAccount", "serviceaccounts"),
  kindOf(rbac, "ClusterRole", "clusterroles", false),
  kindOf(rbac, "ClusterRoleBinding", "clusterrolebindings", false),
  kindOf(rbac, "Role", "roles"),
  kindOf(rbac, "RoleBinding", "rolebindings"),
  kindOf("v1", "Secret", "secrets"),
  kindOf("v1", "ConfigMap", "configmaps"),
  kindOf("v1", "Service", "services"),
  kindOf("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  kindOf("apps/v1", "Deployment", "deployments"),
  kindOf("apps/v1", "DaemonSet", "daemonsets"),
  kindOf("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
];

const gatewayClass = kindOf("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", false);

/** The kinds of what the control plane keeps for Gateways. */
export const gatewayKinds: readonly InstallKind[] = [
  gatewayClass,
  ...installKinds.filter(({ kind }) => ["ServiceAccount", "ConfigMap", "Service", "Deployment"].includes(kind)),
];

/** The kind of an object. Throws for one that is not in the list: that is a bug. */
export function installKind({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): InstallKind {
  const found = [...installKinds, gatewayClass].find((known) => known.apiVersion === apiVersion && known.kind === kind);
  if (found === undefined) throw new Error(`${apiVersion} ${kind} is no kind of an installation`);
  return found;
}
