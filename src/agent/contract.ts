/**
 * What the daemon and the node agent say to each other: JSON over HTTP on the Unix socket `agentPaths(...).agentSocket` (mode 0600).
 * The agent outlives the daemon and keeps the last desired state on disk: nothing here depends on the daemon being there.
 *
 * - `PUT /desired` takes `Desired` (always the complete set, idempotent), answers `{generation}` once it is on disk.
 * - `GET /status` answers `AgentStatus`; `GET /watch` streams it as NDJSON: now, then after every change (coalesced).
 * - `GET /exec?workload=ID` answers `ExecPlan` (404 when it does not run).
 * - `POST /envoy/replace` (body `{proxies?: ("node" | "gateway")[]}`) answers `ReplaceResult` when the new processes carry the traffic.
 * - `POST /stop` stops everything, answers 202 at once; the socket is gone when it is done.
 * Errors: a status of 4xx/5xx with `{error: string}`.
 *
 * Times are milliseconds (since the epoch where they are moments).
 */
import path from "node:path";

/** The complete wish of the daemon. What is absent is drained, stopped and forgotten, as with `state: "stop"`. */
export interface Desired {
  /** Grows with every change; echoed in `AgentStatus.generation`. */
  readonly generation: number;
  readonly workloads: readonly WorkloadSpec[];
  /** namespace → name (`web`, `web-v2`, a router, an external service) → virtual IPv4 address. */
  readonly names: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface WorkloadPort {
  readonly containerPort: number;
  readonly protocol: "http" | "http2" | "grpc" | "tcp";
}

export type WorkloadCheck =
  | { readonly kind: "http"; readonly path: string; readonly port: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };

export interface WorkloadProbe {
  readonly check: WorkloadCheck;
  readonly initialDelayMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

/**
 * A missing `ready` means: the first declared port accepts TCP; without ports: the process lived one second.
 * Until the first success `ready` and `start` are tried every 50 ms (growing to `intervalMs`), so that a quick program is ready quickly.
 */
export interface WorkloadHealth {
  readonly start?: WorkloadProbe;
  readonly ready?: WorkloadProbe;
  readonly live?: WorkloadProbe;
}

/** A config or secret as a file. It exists only on a tmpfs in the workload's own mount namespace. */
export interface WorkloadFile {
  /** Absolute path in the workload. */
  readonly path: string;
  /** UTF-8 text. */
  readonly content: string;
  readonly mode: number;
}

/** A folder that outlives the workload. It is made when it is not there; the agent never deletes it. */
export interface WorkloadVolume {
  /** Below `AgentPaths.volumeDir`, as `volumeFolder` names it. */
  readonly folder: string;
  /** Absolute path in the workload. */
  readonly path: string;
}

/** One replica. Everything but `state` is immutable for an id: another `specHash` under the same id stops the old one, then starts anew. */
export interface WorkloadSpec {
  /** Unique on the machine, `[a-z0-9][-a-z0-9.]{0,99}`: `web-v1-0-x7k2p`. Also the log file's name. */
  readonly id: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly replica: number;
  readonly command: readonly string[];
  /** Absolute. */
  readonly dir: string;
  /** The whole environment; only PATH, HOME, USER, LANG, TMPDIR get the agent's values when absent. */
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly WorkloadFile[];
  /** Absent: none. No two workloads that run have the same. */
  readonly volumes?: readonly WorkloadVolume[];
  readonly ports: readonly WorkloadPort[];
  readonly health: WorkloadHealth;
  /** Outside names resolve for it. */
  readonly egress: boolean;
  /** `SIGTERM`, ... */
  readonly stopSignal: string;
  readonly drainMs: number;
  readonly graceMs: number;
  readonly specHash: string;
  /** It is a job's run: started until it succeeds, and then no more. What it runs for is kept on disk with how it ended. */
  readonly job?: { readonly retries: number; readonly timeoutMs?: number };
  /**
   * `stop`: drain, then end; its status stays (phase `exited`) until it leaves the set. `hold`: its network is made and told, its program waits for `run`;
   * so Envoy can listen there before the first connection.
   */
  readonly state: "run" | "stop" | "hold";
}

/**
 * pending: not started yet · starting: runs, not yet ready once · ready · unready: was ready, its check fails now ·
 * backoff: ended by itself or failed its live check, waits to run again · draining: takes no new work, ends soon · exited: ended as asked.
 */
export type WorkloadPhase = "pending" | "starting" | "ready" | "unready" | "backoff" | "draining" | "exited";

/**
 * Where Envoy captures what a workload sends, and how it reaches the workload. Keep the capture listener until the phase is `exited`:
 * a draining workload still makes calls. Take it out, then the workload out of `Desired`: only then the namespace goes.
 */
export interface WorkloadNetwork {
  /** `100.64.x.y` */
  readonly address: string;
  /** Where the capture listener must be bound inside the workload's namespace: its own address, port 15001. */
  readonly captureAddress: string;
  readonly capturePort: number;
  /** `SocketAddress.network_namespace_filepath` as the node Envoy must say it. */
  readonly networkNamespace: string;
}

export interface WorkloadExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
}

export interface WorkloadStatus {
  readonly id: string;
  readonly specHash: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly phase: WorkloadPhase;
  /** When this phase began. */
  readonly since: number;
  /** Present while its namespaces exist; the same over restarts of the process. */
  readonly network?: WorkloadNetwork;
  readonly startedAt?: number;
  readonly restarts: number;
  readonly lastExit?: WorkloadExit;
  /** One line why it is not ready: `exited with code 1`, `ready check GET :8080/healthz: status 503`. */
  readonly reason?: string;
  /** Present for jobs' runs; `outcome`: it has ended by itself (phase `exited`). */
  readonly job?: { readonly outcome?: "succeeded" | "failed" };
}

export type EnvoyPhase = "starting" | "running" | "backoff" | "replacing" | "stopped";

export interface EnvoyStatus {
  readonly phase: EnvoyPhase;
  /** In the host's pid namespace. */
  readonly pid?: number;
  readonly version?: string;
  readonly since: number;
  readonly restarts: number;
  readonly reason?: string;
}

export interface AgentStatus {
  /** The last `Desired` that the node works on; 0: none yet. */
  readonly generation: number;
  readonly agent: { readonly pid: number; readonly startedAt: number };
  /** The process that holds all namespaces. `pid` is the host's. */
  readonly node: {
    readonly phase: "starting" | "running" | "backoff" | "stopped";
    readonly pid?: number;
    readonly since: number;
    readonly restarts: number;
    readonly reason?: string;
  };
  readonly proxies: { readonly node: EnvoyStatus; readonly gateway: EnvoyStatus };
  /** In the order of their ids. */
  readonly workloads: readonly WorkloadStatus[];
}

/** Start `argv` followed by the command, with exactly `env` as environment. Stdio is inherited as it is. */
export interface ExecPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface ReplaceResult {
  /** Proxies that are new processes now. */
  readonly replaced: readonly ("node" | "gateway")[];
}

export interface AgentPaths {
  readonly agentSocket: string;
  /** The daemon serves ADS here; both Envoys dial it. */
  readonly xdsSocket: string;
  /** Folder of the sockets between the two Envoys: `GatewaySettings.socketDir`. */
  readonly socketDir: string;
  /** One `NAME.sock` per way out, bound by the gateway Envoy. */
  readonly egressDir: string;
  readonly logDir: string;
  /** Data that workloads leave behind. */
  readonly volumeDir: string;
  /** The agent's own files: desired state, pids, Envoy logs. */
  readonly agentDir: string;
  readonly nodeSocket: string;
  readonly outsideSocket: string;
  readonly nodeAdmin: string;
  readonly gatewayAdmin: string;
}

/**
 * Names every file of one installation. `runDir` holds the sockets: `<state>/run`, or a short folder when that path is too long for a socket (107 bytes).
 */
export function agentPaths(stateDir: string, runDir: string): AgentPaths {
  const agentDir = path.join(stateDir, "agent");
  return {
    agentSocket: path.join(runDir, "agent.sock"),
    xdsSocket: path.join(runDir, "xds.sock"),
    socketDir: runDir,
    egressDir: path.join(runDir, "egress"),
    logDir: path.join(stateDir, "logs"),
    volumeDir: path.join(stateDir, "volumes"),
    agentDir,
    nodeSocket: path.join(runDir, "node.sock"),
    outsideSocket: path.join(runDir, "outside.sock"),
    nodeAdmin: path.join(runDir, "node-admin.sock"),
    gatewayAdmin: path.join(runDir, "gateway-admin.sock"),
  };
}

/** The folder of one volume of one replica, below `volumeDir`. Names have no `@` and no `/`: two that differ never meet. */
export function volumeFolder({ namespace, app, version, replica }: Pick<WorkloadSpec, "namespace" | "app" | "version" | "replica">, name: string): string {
  return path.join(namespace, `${app}@${version}`, String(replica), name);
}

/** Port of every capture listener, on the workload's own address. */
export const capturePort = 15001;
