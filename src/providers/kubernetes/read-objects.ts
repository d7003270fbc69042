/** From the API server's JSON to our own types: parsed once, trusted inside. */
import type {
  KubeContainer,
  KubeEndpoint,
  KubeEndpointSlice,
  KubeMeta,
  KubeNamespace,
  KubeNode,
  KubePod,
  KubeService,
  KubeServicePort,
  PortRef,
} from "./objects.ts";
import { readPodHealth } from "./read-pod-health.ts";
import { flag, list, number, optional, type Raw, record, text, textMap, texts } from "./readers.ts";

const ours = (key: string): boolean => key.startsWith("weir.dev/");

/** Reads what all objects have. */
export function readMeta(raw: Raw): KubeMeta {
  const meta = record(raw["metadata"]);
  return {
    uid: text(meta["uid"]) ?? "",
    name: text(meta["name"]) ?? "",
    namespace: text(meta["namespace"]) ?? "",
    labels: textMap(meta["labels"]),
    annotations: textMap(meta["annotations"], ours),
    terminating: meta["deletionTimestamp"] !== undefined,
  };
}

/** Reads a Namespace. */
export function readNamespace(value: unknown): KubeNamespace {
  return { kind: "Namespace", ...readMeta(record(value)) };
}

/** Reads a Node. */
export function readNode(value: unknown): KubeNode {
  const raw = record(value);
  const [spec, status] = [record(raw["spec"]), record(raw["status"])];
  const addresses = list(status["addresses"])
    .map(record)
    .filter((address) => address["type"] === "InternalIP");
  return {
    kind: "Node",
    ...readMeta(raw),
    addresses: addresses.flatMap((address) => text(address["address"]) ?? []),
    podRanges: withSingle(spec["podCIDRs"], spec["podCIDR"]),
    ready: hasCondition(status, "Ready"),
  };
}

/** Reads a Pod. */
export function readPod(value: unknown): KubePod {
  const raw = record(value);
  const [spec, status] = [record(raw["spec"]), record(raw["status"])];
  const restartable = list(spec["initContainers"]).filter((container) => record(container)["restartPolicy"] === "Always");
  const controller = list(record(raw["metadata"])["ownerReferences"])
    .map(record)
    .find((owner) => owner["controller"] === true);
  return {
    kind: "Pod",
    ...readMeta(raw),
    node: text(spec["nodeName"]) ?? "",
    hostNetwork: flag(spec["hostNetwork"]) ?? false,
    serviceAccount: text(spec["serviceAccountName"]) ?? "default",
    owner: text(controller?.["name"]) ?? "",
    containers: [...restartable, ...list(spec["containers"])].map(readContainer),
    addresses: withSingle(
      list(status["podIPs"]).map((address) => record(address)["ip"]),
      status["podIP"],
    ),
    phase: text(status["phase"]) ?? "",
    ready: hasCondition(status, "Ready"),
    // With readiness gates it is the gates that may be what is missing.
    unheard: hasCondition(status, "ContainersReady") && !hasCondition(status, "Ready") && list(spec["readinessGates"]).length === 0,
    ...readPodHealth(status),
  };
}

/** The plural field, or the older singular one. */
function withSingle(many: unknown, one: unknown): readonly string[] {
  const all = texts(many);
  return all.length > 0 ? all : texts([one]);
}

function hasCondition(status: Raw, type: string): boolean {
  return list(status["conditions"])
    .map(record)
    .some((condition) => condition["type"] === type && condition["status"] === "True");
}

function readContainer(value: unknown): KubeContainer {
  const raw = record(value);
  const hooks = record(raw["lifecycle"]);
  const callers = [raw["startupProbe"], raw["readinessProbe"], raw["livenessProbe"], hooks["postStart"], hooks["preStop"]].map(record);
  const ports = list(raw["ports"]).map(record);
  return {
    name: text(raw["name"]) ?? "",
    ports: ports.map((port) => ({ name: text(port["name"]) ?? "", number: number(port["containerPort"]) ?? 0 })),
    kubeletCalls: callers.flatMap(calledPort),
  };
}

/** The port of the pod that a probe or hook calls; none for `exec` and for what is sent to another host. */
function calledPort(caller: Raw): readonly PortRef[] {
  const calls = [caller["httpGet"], caller["tcpSocket"], caller["grpc"]].map(record).filter((call) => text(call["host"]) === undefined);
  return calls.flatMap((call) => portRef(call["port"]) ?? []);
}

function portRef(value: unknown): PortRef | undefined {
  const name = text(value);
  // Written as text, a number is still one.
  return name === undefined ? number(value) : /^\d+$/.test(name) ? Number(name) : name;
}

/** Reads a Service. */
export function readService(value: unknown): KubeService {
  const raw = record(value);
  const spec = record(raw["spec"]);
  const addresses = withSingle(spec["clusterIPs"], spec["clusterIP"]);
  return {
    kind: "Service",
    ...readMeta(raw),
    type: text(spec["type"]) ?? "ClusterIP",
    hasSelector: Object.keys(record(spec["selector"])).length > 0,
    headless: addresses.includes("None"),
    addresses: addresses.filter((address) => address !== "None"),
    ingress: list(record(record(raw["status"])["loadBalancer"])["ingress"]).flatMap(readIngress),
    ports: list(spec["ports"]).map(readServicePort),
    localOnly: spec["internalTrafficPolicy"] === "Local",
    sticky: spec["sessionAffinity"] === "ClientIP",
  };
}

function readIngress(value: unknown): KubeService["ingress"] {
  const [ip, hostname] = [text(record(value)["ip"]), text(record(value)["hostname"])];
  if (ip !== undefined) return [{ type: "IPAddress", value: ip }];
  return hostname === undefined ? [] : [{ type: "Hostname", value: hostname }];
}

function readServicePort(value: unknown): KubeServicePort {
  const raw = record(value);
  const own = number(raw["port"]) ?? 0;
  return {
    name: text(raw["name"]) ?? "",
    number: own,
    transport: text(raw["protocol"]) ?? "TCP",
    appProtocol: text(raw["appProtocol"]) ?? "",
    target: portRef(raw["targetPort"]) ?? own,
  };
}

/** Reads an EndpointSlice. */
export function readEndpointSlice(value: unknown): KubeEndpointSlice {
  const raw = record(value);
  const meta = readMeta(raw);
  const ports = list(raw["ports"]).map(record);
  return {
    kind: "EndpointSlice",
    ...meta,
    service: meta.labels["kubernetes.io/service-name"] ?? "",
    family: text(raw["addressType"]) ?? "",
    endpoints: list(raw["endpoints"]).flatMap(readEndpoint),
    ports: ports.flatMap((port) => {
      const own = number(port["port"]);
      return own === undefined ? [] : [{ name: text(port["name"]) ?? "", number: own, transport: text(port["protocol"]) ?? "TCP" }];
    }),
  };
}

function readEndpoint(value: unknown): readonly KubeEndpoint[] {
  const raw = record(value);
  const [conditions, target] = [record(raw["conditions"]), record(raw["targetRef"])];
  // Several addresses of one endpoint are interchangeable.
  const [address] = texts(raw["addresses"]);
  // Unknown counts as ready; unknown `serving` is what `ready` says (the API's own words).
  const ready = flag(conditions["ready"]) ?? true;
  if (address === undefined) return [];
  return [
    {
      address,
      ready,
      serving: flag(conditions["serving"]) ?? ready,
      terminating: flag(conditions["terminating"]) ?? false,
      ...optional("node", text(raw["nodeName"])),
      ...optional("podUid", target["kind"] === "Pod" ? text(target["uid"]) : undefined),
    },
  ];
}
