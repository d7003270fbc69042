/** What runs for a Gateway: a Deployment of its proxies, the Service in front of them, who they are, and whom they trust. Pure. */
import { fnv1aHex } from "../../lib/fnv.ts";
import { gatewayLabel } from "../../model/gateway.ts";
import { meshLabel } from "../../model/mesh-pod.ts";
import type { Namespace } from "../../model/names.ts";
import type { KubeGateway } from "./gateway-objects.ts";
import { gatewayHealthPort as healthPort } from "./translate-gateway-listeners.ts";
import type { TranslatedGateway } from "./translate-gateways.ts";
import type { Claim, GatewayClaims } from "./translate-wanted.ts";
import { type Labels, managedLabel, type Owner, type WrittenKind, type WrittenObject, writtenKey, writtenObject } from "./workload-objects.ts";

export interface GatewayWorkloadSettings {
  /** As nodes pull it. */
  readonly image: string;
  readonly trustDomain: string;
  /** `HOST:PORT` of the control plane. */
  readonly control: string;
  /** Whom a gateway trusts at first contact, PEM. */
  readonly roots: string;
  /** Weir's own namespace. */
  readonly namespace: string;
  /** Under which what is public has its names: `localhost`. */
  readonly domain: string;
}

const nameLabel = "gateway.networking.k8s.io/gateway-name";
const drainSeconds = 10;

/** The name of everything that is made for a Gateway: `GATEWAY-CLASS` (GEP-1762). What would be too long for a Service ends with a hash. */
export function gatewayObjectName({ name, className }: Pick<KubeGateway, "name" | "className">): string {
  const whole = `${name}-${className}`.replaceAll(".", "-");
  return whole.length <= 63 && !name.includes(".") ? whole : `${whole.slice(0, 54)}-${fnv1aHex(`${name}/${className}`).slice(0, 8)}`;
}

/** What all gateways ask of the cluster. `publicPorts` are those of the cluster's own; undefined while it is not known whether anything is public. */
export function gatewayClaims(
  gateways: readonly TranslatedGateway[],
  publicPorts: readonly number[] | undefined,
  settings: GatewayWorkloadSettings,
): GatewayClaims {
  const claims = gateways.map((one): Claim => {
    const { namespace, name, createdAt } = one.gateway;
    return { by: [`Gateway ${namespace}/${name}`], since: Date.parse(createdAt) || 0, objects: gatewayWorkloads(one, settings) };
  });
  // Weir's own name is nobody else's.
  const own: Claim = { by: ["the public gateway"], since: 0, objects: publicGatewayWorkloads(publicPorts ?? [], settings) };
  const metadata = { namespace: settings.namespace, name: publicGatewayName };
  return { claims: [own, ...claims], ownerless: new Set(publicPorts === undefined ? [] : gatewayKinds.map((kind) => writtenKey({ kind, metadata }))) };
}

/** None where nothing of it can be served. */
function gatewayWorkloads({ gateway, ports }: TranslatedGateway, settings: GatewayWorkloadSettings): readonly WrittenObject[] {
  const { namespace, infrastructure, name, uid } = gateway;
  return workloads(
    {
      name: gatewayObjectName(gateway),
      namespace,
      selector: { [nameLabel]: labelValue(name) },
      ...infrastructure,
      owners: [{ kind: "Gateway", name, uid }],
      ports: ports.map(({ port }) => port),
      type: "LoadBalancer",
    },
    settings,
  );
}

/** The name of what runs for what is declared public. */
export const publicGatewayName = "weir-gateway";

/** Names below `localhost` are for who forwards a port to it: outside of the cluster it is reached only when the cluster's names are below a domain. */
function publicGatewayWorkloads(ports: readonly number[], settings: GatewayWorkloadSettings): readonly WrittenObject[] {
  const { namespace, domain } = settings;
  const selector = { "app.kubernetes.io/name": publicGatewayName, "app.kubernetes.io/part-of": "weir" };
  const type = domain === "localhost" ? "ClusterIP" : "LoadBalancer";
  return workloads({ name: publicGatewayName, namespace, selector, labels: {}, annotations: {}, owners: [], ports, type }, settings);
}

interface Needed {
  readonly name: string;
  readonly namespace: string;
  readonly selector: Labels;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly owners: readonly Owner[];
  readonly ports: readonly number[];
  readonly type: "LoadBalancer" | "ClusterIP";
}

const gatewayKinds = ["ServiceAccount", "ConfigMap", "Service", "Deployment"] as const satisfies readonly WrittenKind[];

function workloads(needed: Needed, settings: GatewayWorkloadSettings): readonly WrittenObject[] {
  const { name, selector, annotations, owners, ports, type } = needed;
  if (ports.length === 0) return [];
  const namespace = needed.namespace as Namespace;
  const own = { "app.kubernetes.io/name": name, [managedLabel.key]: managedLabel.value, [gatewayLabel.key]: gatewayLabel.value };
  const labels = { ...needed.labels, ...selector, ...own };
  const numbers = ports.map((port) => ({ name: `port-${port}`, port, targetPort: port, protocol: "TCP" }));
  const fields: Readonly<Record<(typeof gatewayKinds)[number], object>> = {
    ServiceAccount: { automountServiceAccountToken: false },
    ConfigMap: { data: { "roots.pem": settings.roots } },
    Service: { spec: { type, selector, ports: numbers } },
    Deployment: { spec: deploymentSpec(name, namespace, { labels, annotations }, selector, settings) },
  };
  return gatewayKinds.map((kind) => writtenObject(kind, { namespace, name, owners, labels, annotations, fields: { ...fields[kind] } }));
}

/** A label has at most 63 characters. */
function labelValue(name: string): string {
  return name.length <= 63 ? name : `${name.slice(0, 54)}-${fnv1aHex(name).slice(0, 8)}`;
}

/** How many there are is whoever's business who scales it: nothing is said of it. */
function deploymentSpec(
  name: string,
  namespace: string,
  { labels, annotations }: { readonly labels: Labels; readonly annotations: Labels },
  selector: Labels,
  settings: GatewayWorkloadSettings,
): object {
  return {
    revisionHistoryLimit: 3,
    minReadySeconds: 1,
    // The next one takes requests before the one before stops to.
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    selector: { matchLabels: selector },
    template: {
      // It stands at the mesh's edge: its own connections are not captured, it speaks mutual TLS itself.
      metadata: { labels: { ...labels, [meshLabel]: "off" }, annotations },
      spec: {
        serviceAccountName: name,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 5 * drainSeconds + 10,
        nodeSelector: { "kubernetes.io/os": "linux" },
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65_532,
          runAsGroup: 65_532,
          fsGroup: 65_532,
          seccompProfile: { type: "RuntimeDefault" },
          // Ports below 1024 without any privilege; one of the sysctls that every pod may have.
          sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
        },
        containers: [container(name, namespace, settings)],
        volumes: volumes(name),
      },
    },
  };
}

function container(name: string, namespace: string, { image, trustDomain, control }: GatewayWorkloadSettings): object {
  const probe = (path: string, periodSeconds: number): object => ({ httpGet: { path, port: healthPort }, periodSeconds, timeoutSeconds: 3 });
  return {
    name: "gateway",
    image,
    imagePullPolicy: "IfNotPresent",
    command: ["/usr/local/bin/node", "/opt/weir/dist/gateway.js"],
    env: [
      { name: "WEIR_CONTROL", value: control },
      { name: "WEIR_DRAIN_SECONDS", value: String(drainSeconds) },
      { name: "WEIR_NAMESPACE", value: namespace },
      { name: "WEIR_ROOTS", value: "/var/run/weir/trust/roots.pem" },
      { name: "WEIR_SERVICE_ACCOUNT", value: name },
      { name: "WEIR_TOKEN", value: "/var/run/weir/token" },
      { name: "WEIR_TRUST_DOMAIN", value: trustDomain },
    ],
    // A busy node takes its time to start it; killed for that, it would never come up.
    startupProbe: { ...probe("/healthz", 1), failureThreshold: 120 },
    readinessProbe: probe("/readyz", 1),
    livenessProbe: { ...probe("/healthz", 10), failureThreshold: 6 },
    resources: { requests: { cpu: "50m", memory: "192Mi" }, limits: { memory: "1Gi" } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    volumeMounts: [
      { name: "run", mountPath: "/run/weir" },
      { name: "tmp", mountPath: "/tmp" },
      { name: "weir", mountPath: "/var/run/weir", readOnly: true },
    ],
  };
}

function volumes(name: string): readonly object[] {
  const token = { path: "token", audience: "weir", expirationSeconds: 3600 };
  const trust = [{ key: "roots.pem", path: "trust/roots.pem" }];
  return [
    { name: "run", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } },
    { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
    { name: "weir", projected: { defaultMode: 0o440, sources: [{ serviceAccountToken: token }, { configMap: { name, items: trust } }] } },
  ];
}
