/** To which of a Service's ports a route is attached. */
import type { KubeService, KubeServicePort } from "./objects.ts";
import type { KubeParentRef, KubeRoute } from "./route-objects.ts";
import { declaredProtocol, isTcp } from "./translate-ports.ts";

type Attached = { readonly ok: true; readonly ports: readonly number[] } | { readonly ok: false; readonly message: string };

/**
 * The ports that `parent` means. A port that it names speaks HTTP from then on, if it did not say what it speaks; without a name it is all ports that say
 * something that fits the route.
 */
export function attachedPorts(kind: KubeRoute["kind"], parent: KubeParentRef, service: KubeService | undefined): Attached {
  const name = `Service ${parent.namespace}/${parent.name}`;
  if (service === undefined) return no(`there is no ${name}`);
  if (service.type === "ExternalName" || service.headless) return no(`${name} has no virtual address that a route could stand in front of`);
  const isNamed = parent.port !== undefined || parent.section !== undefined;
  const meant = service.ports.filter((port) => isTcp(port) && isMeant(port, parent));
  if (meant.length === 0) return no(`${name} has no such TCP port`);
  const fitting = meant.filter((port) => (isNamed ? isOpen(port) : fits(kind, port)));
  if (fitting.length > 0) return { ok: true, ports: fitting.map(({ number }) => number) };
  return no(`no port of ${name} that is meant speaks ${kind === "HTTPRoute" ? "HTTP" : "gRPC"}; see appProtocol`);
}

function no(message: string): Attached {
  return { ok: false, message };
}

function isMeant(port: KubeServicePort, { port: number, section }: KubeParentRef): boolean {
  return (number === undefined || port.number === number) && (section === undefined || port.name === section);
}

/** It speaks HTTP, or says nothing. */
function isOpen(port: KubeServicePort): boolean {
  return port.appProtocol === "" || declaredProtocol(port) !== "tcp";
}

function fits(kind: KubeRoute["kind"], port: KubeServicePort): boolean {
  const protocol = declaredProtocol(port);
  return kind === "HTTPRoute" ? protocol !== "tcp" : protocol === "http2" || protocol === "grpc";
}
