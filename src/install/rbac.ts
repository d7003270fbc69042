/** Who may do what on the API: the control plane as little as it needs, the node agent nothing. */
import { controlName, type InstallObject, inSystem, labelsOf, nodeName, systemNamespace } from "./objects.ts";

const look = ["get", "list", "watch"];

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
  { apiGroups: ["weir.dev", "gateway.networking.k8s.io"], resources: ["*"], verbs: look },
  { apiGroups: ["weir.dev", "gateway.networking.k8s.io"], resources: ["*/status"], verbs: ["update", "patch"] },
];

/**
 * For gateways, in all namespaces, for they are where their Gateways are. Certificates that listeners name are in Secrets; the control plane reads those of
 * the type kubernetes.io/tls only, which is more than a role can say. A cluster without HTTPS at gateways can do without this role's Secrets.
 */
export const gatewayRules: readonly Rule[] = [
  { apiGroups: [""], resources: ["serviceaccounts", "services", "configmaps"], verbs: ["get", "create", "patch"] },
  { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get", "create", "patch"] },
  { apiGroups: ["gateway.networking.k8s.io"], resources: ["gatewayclasses"], verbs: ["create", "patch"] },
  { apiGroups: [""], resources: ["secrets"], verbs: look },
];

/** In Weir's own namespace. Of the Secrets there only the authority's own state can be read and kept. */
const systemRules: readonly Rule[] = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: [...look, "create", "update", "patch", "delete"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: [...look, "create", "update", "patch"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "update", "patch"], resourceNames: ["weir-ca"] },
];

const gatewaysRole = "weir-gateways";
const group = "rbac.authorization.k8s.io";

/** ServiceAccounts, roles and their bindings. */
export function accessObjects(): readonly InstallObject[] {
  const subjects = [{ kind: "ServiceAccount", name: controlName, namespace: systemNamespace }];
  const roleRef = (kind: string): object => ({ apiGroup: group, kind, name: controlName });
  const wide = { name: controlName, labels: labelsOf(controlName) };
  const forGateways = { name: gatewaysRole, labels: labelsOf(controlName) };
  return [
    // A pod that wants a token for the API says so itself.
    ...[controlName, nodeName].map((name) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: inSystem(name), automountServiceAccountToken: false })),
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: wide, rules: clusterRules },
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: forGateways, rules: gatewayRules },
    { apiVersion: `${group}/v1`, kind: "ClusterRoleBinding", metadata: wide, roleRef: roleRef("ClusterRole"), subjects },
    {
      apiVersion: `${group}/v1`,
      kind: "ClusterRoleBinding",
      metadata: forGateways,
      roleRef: { apiGroup: group, kind: "ClusterRole", name: gatewaysRole },
      subjects,
    },
    { apiVersion: `${group}/v1`, kind: "Role", metadata: inSystem(controlName), rules: systemRules },
    { apiVersion: `${group}/v1`, kind: "RoleBinding", metadata: inSystem(controlName), roleRef: roleRef("Role"), subjects },
  ];
}
