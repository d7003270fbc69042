/** The node agent: a DaemonSet on every node, in the node's own network and pid namespace. */
import { controlName, controlPort, type InstallObject, inSystem, nodeName, podLabels, systemNamespace } from "./objects.ts";
import type { InstallSettings } from "./settings.ts";

/** The variable that says what the agent's end leaves behind: `keep` the rules for the next one, or `release` the pods. */
export const onExitVariable = "WEIR_ON_EXIT";
export const nodeContainer = "agent";

/** How long connections get to end. The kubelet's patience must be longer: after it, rules would stay in pods without an Envoy. */
const drainSeconds = 8;
const readyFile = "/tmp/ready";
const graceSeconds = 60;

/** The DaemonSet of the node agents. */
export function nodeDaemonSet(settings: InstallSettings): InstallObject {
  const selector = podLabels(nodeName);
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: inSystem(nodeName),
    spec: {
      revisionHistoryLimit: 3,
      // One that ends again at once was never ready.
      minReadySeconds: 3,
      selector: { matchLabels: selector },
      // The next agent's Envoy listens beside the one before, which drains then: no new connection is lost (docs/decisions/0013).
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: selector },
        spec: {
          serviceAccountName: nodeName,
          automountServiceAccountToken: false,
          hostNetwork: true,
          hostPID: true,
          dnsPolicy: "ClusterFirstWithHostNet",
          priorityClassName: "system-node-critical",
          terminationGracePeriodSeconds: graceSeconds,
          nodeSelector: { "kubernetes.io/os": "linux" },
          tolerations: [{ operator: "Exists" }],
          containers: [container(settings)],
          volumes: volumes(),
        },
      },
    },
  };
}

function container({ image, trustDomain }: InstallSettings): object {
  return {
    name: nodeContainer,
    image,
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/sh", "/opt/weir/agent.sh"],
    args: ["--control", `${controlName}.${systemNamespace}.svc:${controlPort}`],
    env: [
      { name: "NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
      { name: onExitVariable, value: "keep" },
      { name: "WEIR_DRAIN_SECONDS", value: String(drainSeconds) },
      { name: "WEIR_TRUST_DOMAIN", value: trustDomain },
      { name: "WEIR_TOKEN", value: "/var/run/weir/token" },
      { name: "WEIR_ROOTS", value: "/var/run/weir/trust/roots.pem" },
      { name: "WEIR_READY_FILE", value: readyFile },
    ],
    // Also what an uninstallation waits for: an agent that has not started yet would end without releasing anything.
    readinessProbe: { exec: { command: ["/bin/sh", "-c", `read pid < ${readyFile}; [ -d "/proc/$pid" ]`] }, periodSeconds: 1, timeoutSeconds: 5 },
    resources: { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: "2Gi" } },
    // It enters the namespaces of all pods and writes rules there: nothing less does.
    securityContext: { privileged: true, runAsUser: 0, readOnlyRootFilesystem: true },
    volumeMounts: [
      // Pins and sockets are each agent's own: there are two of them during an update.
      { name: "run", mountPath: "/run/weir" },
      { name: "state", mountPath: "/var/lib/weir" },
      { name: "nri", mountPath: "/var/run/nri" },
      { name: "weir", mountPath: "/var/run/weir", readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

/** `/var/run/weir/token` and `/var/run/weir/trust/roots.pem` are one volume: one mount inside another would need a writable one. */
function volumes(): readonly object[] {
  const hostPath = (name: string, path: string): object => ({ name, hostPath: { path, type: "DirectoryOrCreate" } });
  const token = { path: "token", audience: "weir", expirationSeconds: 3600 };
  const trust = ["roots.pem", "trust-domain"].map((key) => ({ key, path: `trust/${key}` }));
  return [
    { name: "run", emptyDir: { medium: "Memory", sizeLimit: "256Mi" } },
    hostPath("state", "/var/lib/weir"),
    hostPath("nri", "/var/run/nri"),
    { name: "weir", projected: { defaultMode: 0o400, sources: [{ serviceAccountToken: token }, { configMap: { name: "weir-trust", items: trust } }] } },
    { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
  ];
}
