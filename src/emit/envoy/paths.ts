/** The Unix sockets between the node Envoy and the gateway Envoy, all below `GatewaySettings.socketDir`. */
import type { BackendId } from "../../compile/mesh-plan.ts";
import { fnv1aHex } from "../../lib/fnv.ts";

/** The node Envoy takes what the gateway Envoy brings from outside. */
export function gatewaySocket(dir: string): string {
  return `${dir}/gateway.sock`;
}

/** The same for a public TCP port. */
export function gatewayTcpSocket(dir: string, port: number): string {
  return `${dir}/gateway-tcp-${port}.sock`;
}

/** The way out to one external service. A socket's path has at most 107 bytes, so the name is a hash. */
export function egressSocket(dir: string, backend: BackendId): string {
  return `${dir}/egress/${fnv1aHex(backend)}.sock`;
}

/** The way out to anything, for workloads with `egress: true`. */
export function anywhereSocket(dir: string): string {
  return `${dir}/egress/anywhere.sock`;
}
