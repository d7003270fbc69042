/** External services for Istio: addresses in EndpointSlices, DNS names in a ServiceEntry, TLS in a DestinationRule. */
import type { Backend, Host } from "../../compile/mesh-plan.ts";
import { type Backends, reachedFrom } from "../kubernetes/backends.ts";
import { emitAddresses, externalTls, hasNames, portDestination, selectorless } from "../kubernetes/external.ts";
import { portName, serviceDomain } from "../kubernetes/names.ts";
import { type KubeFields, type KubeObject, metadata } from "../kubernetes/object.ts";
import { type AppProtocols, protocolOf } from "../kubernetes/service.ts";
import { externalDomain } from "./route.ts";

/** Emits an external host's objects but its VirtualService. With DNS names its Service is only a name and an address; the VirtualService leads on to the ServiceEntry. */
export function emitExternal(host: Host, backends: Backends, appProtocols: AppProtocols): readonly KubeObject[] {
  const named = hasNames(host, backends);
  const domain = named ? externalDomain(host.name, host.namespace) : serviceDomain(host.name, host.namespace);
  return [
    ...(named ? [selectorless(host, appProtocols), emitServiceEntry(host, domain, backends)] : emitAddresses(host, backends, appProtocols)),
    ...emitTls(host, domain, backends),
  ];
}

function emitServiceEntry(host: Host, domain: string, backends: Backends): KubeObject {
  const ports = host.ports.map((port) => {
    const { port: number } = onlyBackend(reachedFrom(port, backends));
    return { number, protocol: protocolOf(port), targets: portDestination(port, backends).targets };
  });
  const addresses = [...new Set(ports.flatMap(({ targets }) => targets.map((target) => target.host)))];
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: metadata({ name: host.name, namespace: host.namespace }),
    spec: {
      hosts: [domain],
      location: "MESH_EXTERNAL",
      resolution: "DNS",
      ports: ports.map(({ number, protocol }) => ({
        number,
        name: portName(protocol, number),
        protocol: protocol.toUpperCase(),
      })),
      endpoints: addresses.flatMap((address) => {
        const reached = ports.flatMap(({ number, protocol, targets }) =>
          targets.filter((target) => target.host === address).map((target) => [portName(protocol, number), target.port] as const),
        );
        return endpointEntries(address, reached);
      }),
    },
  };
}

/** One entry holds one port behind each name; an address with two ports behind one name takes two entries. */
function endpointEntries(address: string, reached: readonly (readonly [string, number])[]): readonly KubeFields[] {
  const entries: Record<string, number>[] = [];
  for (const [name, port] of reached) {
    const free = entries.find((entry) => entry[name] === undefined);
    if (free === undefined) entries.push({ [name]: port });
    else free[name] = port;
  }
  return entries.map((ports) => ({ address, ports }));
}

function emitTls(host: Host, domain: string, backends: Backends): readonly KubeObject[] {
  const serverName = externalTls(host, backends);
  if (serverName === undefined) return [];
  return [
    {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: metadata({ name: host.name, namespace: host.namespace }),
      spec: {
        host: domain,
        trafficPolicy: { tls: { mode: "SIMPLE", sni: serverName, subjectAltNames: [serverName] } },
      },
    },
  ];
}

function onlyBackend([backend]: readonly Backend[]): Backend {
  if (backend === undefined) throw new Error("an external port without a backend");
  return backend;
}
