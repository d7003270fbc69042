/** The cluster's own gateway: what is declared public is reached there, by Host header and by TCP port, as through the gateway of one machine. */
import { memoize } from "../lib/memoize.ts";
import type { MeshPods } from "../model/mesh-pod.ts";
import type { SpiffeId } from "../model/spiffe.ts";
import { type GatewayPlan, gatewayPlan, type PlannedHost, type PlannedPort } from "./gateway-plan.ts";
import type { GatewayTcp, Host, MeshPlan } from "./mesh-plan.ts";
import { retrySafeMethods } from "./safe-methods.ts";

/** Where HTTP comes in. */
export const publicPort = 80;

/**
 * Decides for the cluster's own gateway; undefined: nothing is public. `reserved` are ports that its pods need for themselves. Parts that say the same as in
 * `before` are the same objects.
 */
export function compilePublicGateway(
  identity: SpiffeId,
  plan: MeshPlan,
  mesh: MeshPods,
  reserved: ReadonlySet<number>,
  before?: GatewayPlan,
): GatewayPlan | undefined {
  const hosts = retrySafeMethods(plan.hosts).flatMap(publicHosts);
  const tcp = plan.gatewayTcp.filter(({ port, destinations }) => port !== publicPort && !reserved.has(port) && destinations.length > 0);
  if (hosts.length === 0 && tcp.length === 0) return undefined;
  const known = before?.ports.find(({ kind }) => kind === "http");
  const isSame = known?.kind === "http" && known.hosts.length === hosts.length && hosts.every((host, index) => host === known.hosts[index]);
  const http: PlannedPort = isSame ? known : { kind: "http", port: publicPort, hosts };
  return gatewayPlan(identity, [http, ...tcp.map(tcpPort)], plan, mesh, before);
}

/** A host of the gateway for each of the names that it has there; its first HTTP port answers. */
const publicHosts = memoize((host: Host): readonly PlannedHost[] => {
  const port = host.ports.find(({ kind }) => kind === "http");
  return host.public && port?.kind === "http" ? host.domains.map((domain) => ({ domain, routes: port.routes })) : [];
});

const tcpPort = memoize(({ port, destinations }: GatewayTcp): PlannedPort => ({ kind: "tcp", port, target: { destinations, refused: 0 } }));
