import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import { connect, type Server, type Socket } from "node:net";

/** Where a server listens and a client connects. Port 0 lets the system choose. */
export type RpcAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Opens a connection to an address; errors arrive as the socket's `error` event. */
export function openSocket(address: RpcAddress): Socket {
  return "path" in address ? connect(address.path) : connect(address.port, address.host);
}

/**
 * Starts listening and returns the address to connect to. A Unix socket gets mode 0600; one that a killed process left behind is replaced,
 * one that somebody answers on is not. Throws the system's error (`EADDRINUSE`, …).
 */
export async function listenOn(server: Server, address: RpcAddress): Promise<RpcAddress> {
  if (!("path" in address)) {
    server.listen(address.port, address.host);
    await once(server, "listening");
    const bound = server.address();
    return { host: address.host, port: typeof bound === "object" && bound !== null ? bound.port : address.port };
  }
  if (await isStale(address.path)) await rm(address.path, { force: true });
  server.listen(address.path);
  await once(server, "listening");
  await chmod(address.path, 0o600);
  return address;
}

/** Whether there is a socket file that nobody listens on. */
async function isStale(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}
