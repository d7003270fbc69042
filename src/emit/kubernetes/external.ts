/** External services as objects: a Service that selects nothing, and EndpointSlices or a name for where it leads. */

import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import type { Problem } from "../../lib/problem.ts";
import { type Backends, reachedFrom } from "./backends.ts";
import { type KubeObject, metadata } from "./object.ts";
import { type Mesh, unsupported } from "./refusal.ts";
import { type AppProtocols, servicePorts } from "./service.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Where one port of an external service leads: to addresses, which a Service can hold, or (also) to DNS names. */
export interface Destination {
  readonly kind: "addresses" | "names";
  /** Distinct, in the file's order. */
  readonly targets: readonly Target[];
}

/** Where a port of an external host leads. A target without a port of its own takes the one called. */
export function portDestination(port: HostPort, backends: Backends): Destination {
  const distinct = new Map<string, Target>();
  for (const backend of reachedFrom(port, backends)) {
    if (backend.kind !== "external") continue;
    for (const { host, port: own } of backend.targets) {
      const target = { host, port: own === 0 ? backend.port : own };
      distinct.set(`${target.host} ${target.port}`, target);
    }
  }
  const targets = [...distinct.values()];
  return { kind: targets.every((target) => family(target.host) !== undefined) ? "addresses" : "names", targets };
}

/** Says whether any port of an external host leads to a DNS name. */
export function hasNames(host: Host, backends: Backends): boolean {
  return host.ports.some((port) => portDestination(port, backends).kind === "names");
}

/** The server name with which TLS is originated towards an external host, if it is. */
export function externalTls(host: Host, backends: Backends): string | undefined {
  for (const backend of host.ports.flatMap((port) => reachedFrom(port, backends))) {
    if (backend.kind === "external" && backend.tls !== undefined) return backend.tls.serverName;
  }
  return undefined;
}

/** Refuses endpoints that exist on this machine only. */
export function localAddressProblems(host: Host, backends: Backends, mesh: Mesh): readonly Problem[] {
  const targets = host.ports.flatMap((port) => portDestination(port, backends).targets);
  return [...new Set(targets.map((target) => target.host))].filter(isLocal).map((local) =>
    unsupported({
      mesh,
      because: `cannot reach \`${local}\`, the endpoint of external service \`${host.name}\`: on a cluster every pod has a loopback of its own`,
      where: host.where,
      hint: "Give an address or a DNS name that the cluster's nodes can reach.",
    }),
  );
}

/** Emits the Service and the EndpointSlices (one for each port, address family and port behind it) of an external host with addresses. */
export function emitAddresses(host: Host, backends: Backends, appProtocols: AppProtocols): readonly KubeObject[] {
  const groups = host.ports.flatMap((port) =>
    [...Map.groupBy(portDestination(port, backends).targets, (target) => `${family(target.host)} ${target.port}`).values()].map((targets) => ({
      port,
      targets,
    })),
  );
  const slices = groups.map((group, index) => emitSlice(`${host.name}-${index + 1}`, { host, appProtocols, ...group }));
  return [selectorless(host, appProtocols), ...slices];
}

/** Emits a Service that selects nothing and has no endpoints: a name and an address of its own for routes to lead on from. */
export function selectorless(host: Host, appProtocols: AppProtocols): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata({ name: host.name, namespace: host.namespace }),
    spec: { ports: servicePorts(host, () => undefined, appProtocols) },
  };
}

/** Emits an ExternalName Service: only a DNS alias, callers keep their port. */
export function emitAlias(host: Host, name: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata({ name: host.name, namespace: host.namespace }),
    spec: { type: "ExternalName", externalName: name },
  };
}

interface Slice {
  readonly host: Host;
  readonly port: HostPort;
  /** Of one address family, with one port. */
  readonly targets: readonly Target[];
  readonly appProtocols: AppProtocols;
}

function emitSlice(name: string, { host, port, targets, appProtocols }: Slice): KubeObject {
  const [first] = targets;
  if (first === undefined) throw new Error("an EndpointSlice needs an endpoint");
  const callable = servicePorts({ ports: [port] }, () => undefined, appProtocols);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: metadata({ name, namespace: host.namespace, labels: { "kubernetes.io/service-name": host.name } }),
    addressType: family(first.host) === 6 ? "IPv6" : "IPv4",
    endpoints: targets.map((target) => ({ addresses: [target.host], conditions: { ready: true } })),
    ports: callable.map((one) => ({ name: one["name"], port: first.port, protocol: "TCP", appProtocol: one["appProtocol"] })),
  };
}

function isLocal(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host.startsWith("127.") || host === "::1" || host === "0.0.0.0";
}

/** 4, 6, or undefined for a DNS name. */
function family(host: string): 4 | 6 | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return 4;
  return host.includes(":") ? 6 : undefined;
}
