/** To which of a Service's ports a route is attached. */
import type { KubeService, KubeServicePort } from "./objects.ts";
import type { KubeParentRef, KubeRoute } from "./route-objects.ts";
import { declaredProtocol, isTcp } from "./translate-ports.ts";

type RouteKind = KubeRoute["kind"];
type Attached = { readonly ok: true; readonly ports: readonly number[] } | { readonly ok: false; readonly message: string };

/**
 * The ports that `parent` means. A port that it names speaks from then on what the route is for: HTTP, if it did not say what it speaks; whole connections,
 * whatever it said. Without a name it is all ports that say something that fits the route.
 */
export function attachedPorts(kind: RouteKind, parent: KubeParentRef, service: KubeService | undefined): Attached {
  const name = `Service ${parent.namespace}/${parent.name}`;
  if (service === undefined) return no(`there is no ${name}`);
  if (service.type === "ExternalName" || service.headless) return no(`${name} has no virtual address that a route could stand in front of`);
  const isNamed = parent.port !== undefined || parent.section !== undefined;
  const meant = service.ports.filter((port) => isTcp(port) && isMeant(port, parent));
  if (meant.length === 0) return no(`${name} has no such TCP port`);
  const fitting = meant.filter((port) => (isNamed ? isOpen(kind, port) : fits(kind, port)));
  if (fitting.length > 0) return { ok: true, ports: fitting.map(({ number }) => number) };
  return no(reason(kind, name));
}

function reason(kind: RouteKind, name: string): string {
  if (isOfConnections(kind)) return `all ports of ${name} say that they speak HTTP; name the one that is meant`;
  return `no port of ${name} that is meant speaks ${kind === "HTTPRoute" ? "HTTP" : "gRPC"}; see appProtocol`;
}

/** Says whether a kind of route decides about whole connections, not requests. */
export function isOfConnections(kind: RouteKind): kind is "TLSRoute" | "TCPRoute" {
  return kind === "TLSRoute" || kind === "TCPRoute";
}

function no(message: string): Attached {
  return { ok: false, message };
}

function isMeant(port: KubeServicePort, { port: number, section }: KubeParentRef): boolean {
  return (number === undefined || port.number === number) && (section === undefined || port.name === section);
}

/** It speaks HTTP, or says nothing. Whatever it speaks comes in connections. */
function isOpen(kind: RouteKind, port: KubeServicePort): boolean {
  return isOfConnections(kind) || port.appProtocol === "" || declaredProtocol(port) !== "tcp";
}

function fits(kind: RouteKind, port: KubeServicePort): boolean {
  const protocol = declaredProtocol(port);
  switch (kind) {
    case "HTTPRoute":
      return protocol !== "tcp";
    case "GRPCRoute":
      return protocol === "http2" || protocol === "grpc";
    case "TLSRoute":
    case "TCPRoute":
      return protocol === "tcp";
    default:
      return kind satisfies never;
  }
}
