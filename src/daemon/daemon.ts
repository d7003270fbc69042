/** Builds everything, starts it, and ends it. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type AgentStatus, agentPaths } from "../agent/contract.ts";
import { ensureAgent } from "../agent/lifecycle.ts";
import { realClock as clock } from "../agent/real-clock.ts";
import { callUnix, watchUnix } from "../agent/unix-http.ts";
import type { ApiContext } from "../api/context.ts";
import { listenOnSocket } from "../api/listen.ts";
import { allRoutes } from "../api/routes.ts";
import { createApi } from "../api/server.ts";
import type { Log } from "../lib/log.ts";
import { ok, type Result } from "../lib/problem.ts";
import { LocalProvider } from "../providers/local/local-provider.ts";
import { Registry } from "../registry/registry.ts";
import { createRpcServer } from "../rpc/server.ts";
import type { SqliteStore } from "../store/sqlite-store.ts";
import { createAdsServer } from "../xds/server.ts";
import { ControlLoop } from "./control-loop.ts";
import { EnvoyLink } from "./envoy-link.ts";
import { createLocalMachine } from "./local-machine.ts";
import { type DaemonSettings, weirVersion } from "./settings.ts";

const rpcGoodbyeMs = 200;
/** An answer that says goodbye is on its way; this is how long it may take to arrive. */
const quitMs = 50;

export interface Daemon {
  /** Resolves when it has ended, by `stop` or by `system stop`. */
  readonly ended: Promise<void>;
  /** Ends the daemon; agent, proxies and workloads go on. */
  stop(): void;
}

/** Starts a daemon on an open store. Problem: `api-socket-in-use`. */
export async function startDaemon(settings: DaemonSettings, store: SqliteStore, log: Log): Promise<Result<Daemon>> {
  const paths = agentPaths(settings.paths.stateDir, settings.paths.runDir);
  const [stopping, platform] = [new AbortController(), new AbortController()];
  const ads = createAdsServer({ clock, log });
  const rpc = createRpcServer({ clock, log, methods: ads.methods, maxMessageBytes: 64 * 1024 * 1024 });
  const provider = new LocalProvider({ connection: connectAgent(settings, paths.agentSocket), clock, log });
  const [registry, envoy] = [new Registry(), new EnvoyLink(ads, log)];
  const gateway = { ...settings.listen, socketDir: paths.socketDir, domain: "localhost" };
  const control = new ControlLoop({ store, provider, registry, envoy, gateway, clock, log });
  const providing = provider.start(AbortSignal.any([stopping.signal, platform.signal]));
  const release = async (): Promise<void> => {
    platform.abort();
    await providing;
  };
  const stop = (): void => stopping.abort();
  const machine = createLocalMachine({ paths, clock, ads, store, release });
  const quit = (): void => void clock.sleep(quitMs).then(stop);
  const about = aboutUs(settings, paths.xdsSocket, paths.agentSocket);
  const context: ApiContext = { store, observed: control.observed, machine, platform: thisMachine, clock, log, quit, about };
  // Before anybody can connect: a command that finds an older version there replaces us.
  writeFileSync(settings.paths.versionFile, `${weirVersion}\n`, { mode: 0o600 });
  const api = await listenOnSocket(createApi(context, allRoutes, stopping.signal), settings.paths.apiSocket);
  if (!api.ok) {
    stop();
    await providing;
    return api;
  }
  rmSync(paths.xdsSocket, { force: true });
  await rpc.listen({ path: paths.xdsSocket });
  const work = Promise.all([providing, control.start(stopping.signal), envoy.start(stopping.signal), sendWorlds(registry, envoy, stopping.signal)]);
  log.info("serving", { api: settings.paths.apiSocket, version: weirVersion });
  const close = async (): Promise<void> => {
    api.value.close();
    api.value.closeAllConnections();
    rmSync(settings.paths.apiSocket, { force: true });
    await rpc.close(rpcGoodbyeMs);
    store.close();
    log.info("ended");
  };
  return ok({ ended: work.then(close, close), stop });
}

async function sendWorlds(registry: Registry, envoy: EnvoyLink, signal: AbortSignal): Promise<void> {
  let revision = 0;
  for await (const published of registry.published.watch(signal)) {
    if (published === undefined || published.world.revision === revision) continue;
    revision = published.world.revision;
    envoy.publish(published.world);
  }
}

function connectAgent(settings: DaemonSettings, agentSocket: string): ConstructorParameters<typeof LocalProvider>[0]["connection"] {
  return {
    put: async (desired, signal) => void (await callUnix(agentSocket, "PUT", "/desired", { body: desired, signal })),
    watch: (signal) => watchUnix<AgentStatus>(agentSocket, "/watch", signal),
    ensure: async () => void (await ensureAgent(settings.agent, clock)),
  };
}

function aboutUs({ paths, listen }: DaemonSettings, xds: string, agent: string): ApiContext["about"] {
  const sockets = { api: paths.apiSocket, xds, agent };
  const host = listen.address.includes(":") ? `[${listen.address}]` : listen.address;
  return { version: weirVersion, pid: process.pid, startedAt: clock.now(), stateDir: paths.stateDir, sockets, gatewayUrl: `http://${host}:${listen.port}` };
}

const thisMachine: ApiContext["platform"] = { runs: "commands", teller: "the node agent", seeProxies: "`weir system status` shows the proxies" };

/** Where the daemon keeps what is declared. */
export function storeFile(stateDir: string): string {
  return path.join(stateDir, "weir.db");
}
