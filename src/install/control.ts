/** The control plane: a Deployment, the Service in front of it, what drains may do with it. */
import { controlName, controlPort, healthPort, type InstallObject, inSystem, podLabels, systemNamespace, webhookPort } from "./objects.ts";
import type { InstallSettings } from "./settings.ts";

/** Secret with the files of the authority that the user brings. */
export const plugInSecret = "weir-plug-in-ca";
/** Of the control plane's container; absent where there is no domain. */
export const domainVariable = "WEIR_DOMAIN";
/** The last wish for a new root of our own: any text. */
export const rootWishVariable = "WEIR_NEW_ROOT";
const plugInDir = "/etc/weir/ca";
/** ConfigMap with the roots of other trust domains that are let in, by name; it need not be there. */
export const aliasesConfigMap = "weir-trust-aliases";
const aliasesDir = "/etc/weir/aliases";

/** The objects of the control plane. */
export function controlObjects(settings: InstallSettings): readonly InstallObject[] {
  const selector = podLabels(controlName);
  const port = { name: "tls-control", port: controlPort, targetPort: "control", protocol: "TCP" };
  const asked = { name: "https-webhook", port: 443, targetPort: "webhook", protocol: "TCP" };
  return [
    { apiVersion: "v1", kind: "Service", metadata: inSystem(controlName), spec: { selector, ports: [port, asked] } },
    { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: inSystem(controlName), spec: { maxUnavailable: 1, selector: { matchLabels: selector } } },
    { apiVersion: "apps/v1", kind: "Deployment", metadata: inSystem(controlName), spec: deploymentSpec(settings, selector) },
  ];
}

function deploymentSpec(settings: InstallSettings, selector: Readonly<Record<string, string>>): object {
  return {
    // One leads, the other follows when it is gone.
    replicas: 2,
    revisionHistoryLimit: 3,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    selector: { matchLabels: selector },
    template: {
      metadata: { labels: selector },
      spec: {
        serviceAccountName: controlName,
        automountServiceAccountToken: true,
        priorityClassName: "system-cluster-critical",
        nodeSelector: { "kubernetes.io/os": "linux" },
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: selector } },
        ],
        securityContext: { runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532, seccompProfile: { type: "RuntimeDefault" } },
        containers: [container(settings)],
        volumes: [
          { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
          { name: "aliases", configMap: { name: aliasesConfigMap, optional: true } },
          ...(settings.plugIn ? [{ name: "plug-in-ca", secret: { secretName: plugInSecret, defaultMode: 0o440 } }] : []),
        ],
      },
    },
  };
}

function container({ image, trustDomain, plugIn, rootWish, domain }: InstallSettings): object {
  const probe = (path: string, periodSeconds: number): object => ({ httpGet: { path, port: "health" }, periodSeconds, timeoutSeconds: 3 });
  return {
    name: "control",
    image,
    imagePullPolicy: "IfNotPresent",
    command: ["/usr/local/bin/node", "/opt/weir/dist/control.js"],
    env: [
      { name: "POD_NAMESPACE", value: systemNamespace },
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "WEIR_TRUST_DOMAIN", value: trustDomain },
      // Gateways run the same.
      { name: "WEIR_IMAGE", value: image },
      { name: "WEIR_ALIASES_DIR", value: aliasesDir },
      ...(plugIn ? [{ name: "WEIR_CA_DIR", value: plugInDir }] : []),
      ...(rootWish === undefined ? [] : [{ name: rootWishVariable, value: rootWish }]),
      ...(domain === undefined ? [] : [{ name: domainVariable, value: domain }]),
    ],
    ports: [
      { name: "control", containerPort: controlPort, protocol: "TCP" },
      { name: "webhook", containerPort: webhookPort, protocol: "TCP" },
      { name: "health", containerPort: healthPort, protocol: "TCP" },
    ],
    startupProbe: { ...probe("/healthz", 1), failureThreshold: 60 },
    // On a machine without time to spare a restart would only cost more of it.
    livenessProbe: { ...probe("/healthz", 10), failureThreshold: 12 },
    readinessProbe: probe("/readyz", 2),
    resources: { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: "1Gi" } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    volumeMounts: [
      { name: "tmp", mountPath: "/tmp" },
      { name: "aliases", mountPath: aliasesDir, readOnly: true },
      ...(plugIn ? [{ name: "plug-in-ca", mountPath: plugInDir, readOnly: true }] : []),
    ],
  };
}
