/** The gateway that outsiders reach: one Gateway called `weir` with an HTTP listener and one listener for each public TCP port. */
import type { Host, MeshPlan } from "../../compile/mesh-plan.ts";
import { defaultNamespace, type Namespace } from "../../model/names.ts";
import { type Backends, backendOf } from "../kubernetes/backends.ts";
import { type KubeFields, type KubeObject, metadata } from "../kubernetes/object.ts";
import { emitTcpRoute, gatewayApiVersion, type RouteSetting } from "./route.ts";

export const gatewayName = "weir";
/** Where a cluster's gateway listens for HTTP; the local gateway's port means nothing there. */
export const gatewayHttpPort = 80;

/** Hosts that answer at the gateway. */
export function publicHosts(plan: MeshPlan): readonly Host[] {
  return plan.hosts.filter((host) => host.public && host.domains.length > 0 && host.ports.some(({ kind }) => kind === "http"));
}

/** The gateway's namespace: the one that holds everything public, or `default` where several do. */
export function gatewayNamespace(plan: MeshPlan, setting: { readonly backends: Backends }): Namespace {
  const [first, ...others] = publicNamespaces(plan, setting);
  return first === undefined || others.length > 0 ? defaultNamespace : first;
}

/** Emits the Gateway; nothing when nothing is public. */
export function emitGateway(plan: MeshPlan, setting: RouteSetting): readonly KubeObject[] {
  const namespaces = publicNamespaces(plan, setting);
  if (namespaces.length === 0) return [];
  const namespace = gatewayNamespace(plan, setting);
  const allowedRoutes = namespaces.length === 1 ? undefined : { namespaces: { from: "All" } };
  const http = { name: "http", port: gatewayHttpPort, protocol: "HTTP", allowedRoutes };
  const tcp = plan.gatewayTcp.map(({ port }) => ({ name: `tcp-${port}`, port, protocol: "TCP", allowedRoutes }));
  const listeners: readonly KubeFields[] = [...(publicHosts(plan).length > 0 ? [http] : []), ...tcp];
  return [
    {
      apiVersion: gatewayApiVersion,
      kind: "Gateway",
      metadata: metadata({ name: gatewayName, namespace }),
      spec: { gatewayClassName: gatewayName, listeners },
    },
  ];
}

/** Emits a TCPRoute for each public TCP port, in the namespace of its first destination. */
export function emitGatewayTcpRoutes(plan: MeshPlan, setting: RouteSetting): readonly KubeObject[] {
  const gateway = gatewayNamespace(plan, setting);
  return plan.gatewayTcp.map((port) => {
    const namespace = tcpNamespace(port, setting);
    return emitTcpRoute(`weir.tcp-${port.port}`, {
      host: { namespace },
      port,
      parentRefs: [{ name: gatewayName, namespace: gateway === namespace ? undefined : gateway, sectionName: `tcp-${port.port}` }],
      setting,
    });
  });
}

/** The namespace of the first backend of a public TCP port. */
export function tcpNamespace({ destinations }: MeshPlan["gatewayTcp"][number], { backends }: { readonly backends: Backends }): Namespace {
  const [first] = destinations;
  return first === undefined ? defaultNamespace : backendOf(backends, first.backend).namespace;
}

function publicNamespaces(plan: MeshPlan, setting: { readonly backends: Backends }): readonly Namespace[] {
  const all = [...publicHosts(plan).map(({ namespace }) => namespace), ...plan.gatewayTcp.map((port) => tcpNamespace(port, setting))];
  return [...new Set(all)].sort();
}
