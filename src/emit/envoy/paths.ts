/** The Unix sockets between the node Envoy and the gateway Envoy, all below `GatewaySettings.socketDir`. */
import type { BackendId } from "../../compile/mesh-plan.ts";

/** The node Envoy takes what the gateway Envoy brings from outside. */
export function gatewaySocket(dir: string): string {
  return `${dir}/gateway.sock`;
}

/** The same for a public TCP port. */
export function gatewayTcpSocket(dir: string, port: number): string {
  return `${dir}/gateway-tcp-${port}.sock`;
}

/** The way out to one external service. A socket's path has at most 107 bytes, so the name is a hash (FNV-1a, 32 bits). */
export function egressSocket(dir: string, backend: BackendId): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < backend.length; i += 1) hash = Math.imul(hash ^ backend.charCodeAt(i), 0x01000193);
  return `${dir}/egress/${(hash >>> 0).toString(16).padStart(8, "0")}.sock`;
}

/** The way out to anything, for workloads with `egress: true`. */
export function anywhereSocket(dir: string): string {
  return `${dir}/egress/anywhere.sock`;
}
