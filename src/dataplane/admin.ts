/** Envoy's admin interface, on a Unix socket. */
import { request } from "node:http";

/** What we want to know of a running Envoy. */
export interface ServerInfo {
  readonly version: string;
  /** `LIVE` when it has all it waited for and takes traffic. */
  readonly state: string;
  readonly epoch: number;
}

/** Asks one admin page (those that change something want POST); answers its body, or undefined when it does not answer with 200 within `timeoutMs`. */
export function adminGet(socketPath: string, page: string, timeoutMs = 1000, method: "GET" | "POST" = "GET"): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: page, method, agent: false, timeout: timeoutMs }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (body += piece));
      response.on("end", () => resolve(response.statusCode === 200 ? body : undefined));
      response.on("error", () => resolve(undefined));
    });
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve(undefined));
    call.on("close", () => resolve(undefined));
    call.end();
  });
}

/** Asks who is behind an admin socket; undefined when nobody answers. */
export async function serverInfo(socketPath: string): Promise<ServerInfo | undefined> {
  const body = await adminGet(socketPath, "/server_info");
  if (body === undefined) return undefined;
  const info = JSON.parse(body) as { version?: string; state?: string; command_line_options?: { restart_epoch?: number } };
  return { version: info.version?.split("/")[1] ?? "unknown", state: info.state ?? "unknown", epoch: info.command_line_options?.restart_epoch ?? 0 };
}
