/** Who may do what on the API: the control plane as little as it needs, the node agent nothing, users with the usual roles what is declared in their namespaces. */
import { weirGroup } from "../model/declared-kinds.ts";
import { controlName, type InstallObject, inSystem, labelsOf, nodeName, systemNamespace } from "./objects.ts";
import { validationName, webhookSecret } from "./validation.ts";

const look = ["get", "list", "watch"];
const write = ["create", "update", "patch", "delete"];

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** In all namespaces. */
export const clusterRules: readonly Rule[] = [
  { apiGroups: [""], resources: ["namespaces", "nodes", "pods", "services", "serviceaccounts"], verbs: look },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: look },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  { apiGroups: [weirGroup, "gateway.networking.k8s.io"], resources: ["*"], verbs: look },
  { apiGroups: [weirGroup, "gateway.networking.k8s.io"], resources: ["*/status"], verbs: ["update", "patch"] },
  // What it tells users of the mesh in their namespaces.
  { apiGroups: [weirGroup], resources: ["meshreports"], verbs: ["create", "patch", "delete"] },
  // What versions and jobs are made into.
  { apiGroups: [""], resources: ["services", "serviceaccounts"], verbs: write },
  { apiGroups: ["apps"], resources: ["deployments", "statefulsets", "daemonsets"], verbs: [...look, ...write] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: [...look, ...write] },
  { apiGroups: ["batch"], resources: ["jobs", "cronjobs"], verbs: [...look, ...write] },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: [...look, ...write] },
  // For gateways, which are where their Gateways are: whom they trust, and the class that Gateways name.
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "create", "patch", "delete"] },
  { apiGroups: ["gateway.networking.k8s.io"], resources: ["gatewayclasses"], verbs: ["create", "patch"] },
  // Whom the API server trusts when it asks about declared objects.
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["validatingwebhookconfigurations"],
    verbs: ["get", "patch"],
    resourceNames: [validationName],
  },
  // Owners of what it writes: where the API server wants this right for that.
  { apiGroups: [weirGroup], resources: ["*/finalizers"], verbs: ["update"] },
];

/**
 * Contents of configs and secrets: pods that use them are replaced when they change, and gateways have the certificates and roots that Gateways and
 * policies name. Roles know no labels, so this is the right to read all of them; a role of its own, so that whoever does not want that can take its binding away.
 */
export const contentRules: readonly Rule[] = [{ apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["list", "watch"] }];
export const contentRole = "weir-control-contents";

/** What the cluster's own roles (view, and so edit and admin) get beside what they have. */
const viewRules: readonly Rule[] = [{ apiGroups: [weirGroup], resources: ["*"], verbs: look }];
/** The same for edit and admin. */
const editRules: readonly Rule[] = [
  { apiGroups: [weirGroup], resources: ["apps", "versions", "versions/scale", "jobs", "routers", "externalservices"], verbs: [...write, "deletecollection"] },
];

/** In Weir's own namespace. Of the Secrets there only the authority's own state and the webhook's certificate can be read and kept. */
const systemRules: readonly Rule[] = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: [...look, "create", "update", "patch", "delete"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: [...look, "create", "update", "patch"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "update", "patch"], resourceNames: ["weir-ca", webhookSecret] },
];

const group = "rbac.authorization.k8s.io";

/** ServiceAccounts, roles and their bindings. */
export function accessObjects(): readonly InstallObject[] {
  const subjects = [{ kind: "ServiceAccount", name: controlName, namespace: systemNamespace }];
  const wide = (name: string) => ({ name, labels: labelsOf(controlName) });
  const bindingTo = (role: string) => ({ roleRef: { apiGroup: group, kind: "ClusterRole", name: role }, subjects });
  return [
    // A pod that wants a token for the API says so itself.
    ...[controlName, nodeName].map((name) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: inSystem(name), automountServiceAccountToken: false })),
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: wide(controlName), rules: clusterRules },
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: wide(contentRole), rules: contentRules },
    aggregated("view", viewRules),
    aggregated("edit", editRules),
    { apiVersion: `${group}/v1`, kind: "ClusterRoleBinding", metadata: wide(controlName), ...bindingTo(controlName) },
    { apiVersion: `${group}/v1`, kind: "ClusterRoleBinding", metadata: wide(contentRole), ...bindingTo(contentRole) },
    { apiVersion: `${group}/v1`, kind: "Role", metadata: inSystem(controlName), rules: systemRules },
    {
      apiVersion: `${group}/v1`,
      kind: "RoleBinding",
      metadata: inSystem(controlName),
      roleRef: { apiGroup: group, kind: "Role", name: controlName },
      subjects,
    },
  ];
}

/** Rules that the cluster adds to a role of its own; admin has all of edit, and edit all of view. */
function aggregated(role: "view" | "edit", rules: readonly Rule[]): InstallObject {
  const labels = { ...labelsOf("weir"), [`rbac.authorization.k8s.io/aggregate-to-${role}`]: "true" };
  return { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: { name: `weir-${role}`, labels }, rules };
}
