/** Makes a port of a sandbox reachable from the machine's loopback, without an interface there. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createServer, type Server } from "node:net";
import path from "node:path";
import { inside, type Sandbox } from "./sandbox.ts";

const program = path.join(import.meta.dirname, "forward-main.ts");

/** Starts a forwarder to `address:port` as the sandbox sees it. Answers its port on 127.0.0.1; it goes on until the sandbox ends. */
export async function forwardToLoopback(sandbox: Sandbox, logFile: string, address: string, port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("a TCP server has an address");
  await handOver(sandbox, logFile, server, [address, String(port)]);
  await new Promise((resolve) => server.close(resolve));
  return bound.port;
}

async function handOver(sandbox: Sandbox, logFile: string, server: Server, args: readonly string[]): Promise<void> {
  const log = openSync(logFile, "a");
  const [file = "", ...words] = inside(sandbox, [process.execPath, program, ...args]);
  const child = spawn(file, words, { cwd: "/", stdio: ["ignore", log, log, "ipc"], detached: true });
  closeSync(log);
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the forwarder ended by itself: see ${logFile}`)));
    child.once("message", () => resolve());
    child.send("listen", server);
  });
}
