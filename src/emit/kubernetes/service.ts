/** One Service for each name that clients call. Versions have their own: every mesh can weigh Services, not every mesh pods. */
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import type { Protocol } from "../../model/types.ts";
import { type Backends, reachedFrom } from "./backends.ts";
import { appSelector, portName, versionSelector } from "./names.ts";
import { type KubeFields, type KubeObject, metadata } from "./object.ts";

/** How a mesh wants a protocol called in a Service port's `appProtocol`. */
export type AppProtocols = Readonly<Record<Protocol, string>>;

/**
 * Emits the Service of an app (selects all its versions), a version or a router (selects nothing: its routes decide).
 * External services: see external.ts.
 */
export function emitService(host: Host, backends: Backends, appProtocols: AppProtocols): KubeObject {
  const selector = selectorOf(host);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata({ name: host.name, namespace: host.namespace, labels: selector ?? {} }),
    spec: {
      ...(selector === undefined ? {} : { selector }),
      ports: servicePorts(host, (port) => (selector === undefined ? undefined : targetPort(port, backends)), appProtocols),
    },
  };
}

/** Emits the `ports` of a Service: one entry for each number that callers may use, in ascending order. */
export function servicePorts(host: Pick<Host, "ports">, targetOf: (port: HostPort) => number | undefined, appProtocols: AppProtocols): readonly KubeFields[] {
  return host.ports
    .flatMap((hostPort) => hostPort.ports.map((port) => ({ port, hostPort })))
    .sort((a, b) => a.port - b.port)
    .map(({ port, hostPort }) => ({
      name: portName(protocolOf(hostPort), port),
      port,
      targetPort: targetOf(hostPort) ?? port,
      appProtocol: appProtocols[protocolOf(hostPort)],
    }));
}

/** The protocol that a host's port speaks. */
export function protocolOf(port: HostPort): Protocol {
  return port.kind === "tcp" ? "tcp" : port.protocol;
}

function selectorOf(host: Host): Readonly<Record<string, string>> | undefined {
  if (host.app === undefined) return undefined;
  return host.version === undefined ? appSelector(host.app) : versionSelector(host.app, host.version);
}

/**
 * Where pods listen. Versions of an app may differ; then the app's Service takes the first, which matters only to
 * callers outside the mesh: routes lead to the versions' own Services.
 */
function targetPort(port: HostPort, backends: Backends): number | undefined {
  for (const backend of reachedFrom(port, backends)) {
    if (backend.kind === "version") return backend.containerPort;
  }
  return undefined;
}
