/** Finds the daemon of this user, and starts it where that is wanted. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { SystemView } from "../api/contract.ts";
import { type StatePaths, statePaths } from "../lib/state-paths.ts";
import { accepts } from "./accepts.ts";
import { type Client, createClient } from "./client.ts";
import type { Place } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";
import { say } from "./output.ts";
import { version } from "./version.ts";

/** Paths of this user's installation. */
export function paths(): StatePaths {
  return statePaths(process.env, process.getuid?.() ?? 0);
}

/** A client of the running daemon, whatever its version; undefined when none runs. */
export async function connectIfRunning(): Promise<Client | undefined> {
  const { apiSocket } = paths();
  return (await accepts(apiSocket)) ? createClient(apiSocket) : undefined;
}

/** A client of the running daemon; one of another version is replaced by ours first, while services, proxies and traffic go on. Undefined when none runs. */
async function connectToOurs(): Promise<Client | undefined> {
  const running = await connectIfRunning();
  const theirs = running === undefined ? undefined : daemonVersion();
  if (running === undefined || theirs === undefined || theirs === version) return running;
  say(`the daemon is Weir ${theirs}; it is replaced by ${version}, and what runs goes on`);
  const { pid } = await running.get<SystemView>("/v1/system");
  const { endDaemon } = await import("./start-daemon.ts");
  await endDaemon(pid);
  return startDaemon([]);
}

/** What the daemon wrote when it started; undefined when it cannot be known. */
function daemonVersion(): string | undefined {
  try {
    return readFileSync(paths().versionFile, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** What a command needs of whoever it talks to. */
export interface Need {
  readonly place: Place;
  /** Those that it is about; with `wide`, every other one, too, as far as the user may see it. */
  readonly namespaces: readonly string[];
  readonly wide?: boolean;
  /** Where the gateway of this machine should listen, `ADDRESS:PORT`. */
  readonly listen?: string;
}

/** Clusters that commands are connected to: without end, if nobody ends it. */
const open: (() => void)[] = [];

/** Ends what `connect` began; call it when the command is done. */
export function closeConnections(): void {
  for (const close of open.splice(0)) close();
}

async function connectToCluster(need: Need & { readonly place: Extract<Place, { kind: "cluster" }> }): Promise<Client> {
  const { connectFront } = await import("./cluster/front-client.ts");
  const { client, close } = await connectFront(need);
  open.push(close);
  return client;
}

function isOnCluster(need: Need): need is Need & { readonly place: Extract<Place, { kind: "cluster" }> } {
  return need.place.kind === "cluster";
}

/** A client of the cluster that is meant or else of the daemon, which is started when it does not run. */
export async function connect(need: Need): Promise<Client> {
  if (isOnCluster(need)) {
    checkNoListen(need);
    return connectToCluster(need);
  }
  const { listen } = need;
  const running = await connectToOurs();
  if (running !== undefined && listen !== undefined) await checkListen(running, listen);
  return running ?? startDaemon(listen === undefined ? [] : ["--listen", listen]);
}

function checkNoListen({ listen }: Need): void {
  if (listen === undefined) return;
  throw failure("option-elsewhere", "--listen is about the gateway of this machine, and the context is a cluster", {
    hint: "leave it out, or add --context local",
    exit: exitCode.badInput,
  });
}

async function checkListen(client: Client, listen: string): Promise<void> {
  const { gatewayUrl } = await client.get<SystemView>("/v1/system");
  if (gatewayUrl === `http://${listen}`) return;
  throw failure("gateway-elsewhere", `the gateway listens on ${gatewayUrl} already, not on ${listen}`, {
    hint: "to move it: weir system stop, then this command again",
    exit: exitCode.conflict,
  });
}

/** A client for commands that only look: starts the daemon only when there is something declared that it should run. */
export async function connectToLook(need: Need): Promise<Client> {
  if (isOnCluster(need)) return connectToCluster(need);
  const running = await connectToOurs();
  if (running !== undefined) return running;
  if (existsSync(path.join(paths().stateDir, "weir.db"))) return startDaemon([]);
  throw failure("nothing-running", "nothing runs here yet", {
    hint: "start with: weir up DIR, or: weir run -n NAME -p 80:8080 -- COMMAND",
    exit: exitCode.unavailable,
  });
}

/** Loaded only when it is needed: most commands find a daemon. */
async function startDaemon(args: readonly string[]): Promise<Client> {
  const module = await import("./start-daemon.ts");
  await module.startDaemon(paths(), args);
  return createClient(paths().apiSocket);
}
