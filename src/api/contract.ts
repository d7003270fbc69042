/**
 * What the CLI (and later the dashboard) and the daemon say to each other: JSON over HTTP on a Unix socket.
 * Streams are NDJSON: one JSON value a line. Every error answer has the body `ApiError`.
 * Times are milliseconds since the epoch; weights are basis points (10 000 = 100 %).
 */

import type { Problem } from "../lib/problem.ts";
import type { AdoptedKind, AdoptedName } from "../model/adopted.ts";
import type { JobRunFacts, JobState } from "../model/job-run.ts";
import type { Schedule } from "../model/types.ts";

/** HTTP status ↔ meaning: 400 bad input, 404 unknown name, 409 conflict, 422 not possible now, 503 data plane not there, 500 a bug. */
export interface ApiError {
  readonly problems: readonly Problem[];
}

/** A file as the client read it, with all that it refers to, so that the daemon needs neither the client's folder nor its environment. */
export interface StackSource {
  /** Name for messages: `examples/shop/weir.yaml`. */
  readonly file: string;
  readonly text: string;
  /** Absolute folder that relative paths start from. */
  readonly dir: string;
  /** Contents of files that configs and secrets refer to, by the path as written. */
  readonly files: Readonly<Record<string, string>>;
  /** Environment variables that the file refers to. */
  readonly env: Readonly<Record<string, string>>;
}

export type ObjectKind = "service" | "job" | "router" | "external" | "config" | "secret";

/** One difference between what is declared and what the file says. `fields` never holds a secret's value. */
export interface PlanChange {
  readonly action: "create" | "update" | "delete";
  readonly kind: ObjectKind;
  readonly namespace: string;
  /** `web@v2`, `www`. */
  readonly name: string;
  readonly fields: readonly { readonly path: string; readonly before?: string; readonly after?: string }[];
}

/** A version's share that the file moves. */
export interface PlanWeight {
  readonly namespace: string;
  readonly app: string;
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

export interface Plan {
  readonly stack: string;
  readonly changes: readonly PlanChange[];
  readonly weights: readonly PlanWeight[];
  /** What somebody may not expect of it, one line each. */
  readonly notes: readonly string[];
}

/** `POST /v1/plan` */
export interface PlanRequest {
  readonly source: StackSource;
  readonly stack?: string;
  /** In place of what the file says. */
  readonly namespace?: string;
  /** Where the file says none. */
  readonly fallbackNamespace?: string;
}

/** `POST /v1/up`: answers a stream of `UpEvent`. Without `wait` it ends after `applied`. */
export interface UpRequest extends PlanRequest {
  readonly wait: boolean;
  readonly timeoutMs: number;
}

export type UpEvent =
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "applied" }
  | { readonly kind: "progress"; readonly services: readonly ServiceView[]; readonly jobs: readonly JobView[] }
  | {
      readonly kind: "done";
      readonly services: readonly ServiceView[];
      readonly jobs: readonly JobView[];
      readonly urls: readonly NamedUrl[];
      readonly tookMs: number;
    }
  /** What ran before still runs; `restored`: the declaration is as it was before. `timedOut`: nothing is known to be wrong, but it took too long. */
  | { readonly kind: "failed"; readonly failures: readonly UpFailure[]; readonly restored: boolean; readonly timedOut?: boolean };

export interface UpFailure {
  readonly namespace: string;
  readonly name: string;
  /** One line: `exited with code 1 three times`, `ready check GET :8080/healthz: status 503`. */
  readonly reason: string;
  readonly lastLog: readonly string[];
  /** What the platform noted about it lately, where it keeps notes: a cluster's events. */
  readonly notes?: readonly string[];
}

export interface NamedUrl {
  readonly name: string;
  readonly url: string;
}

export type ServiceState = "ready" | "starting" | "degraded" | "failing" | "draining" | "stopped";

/** One line of `ps`: one version of one app. `GET /v1/services?namespace=N` (absent: default; `*`: all), `&watch=true` streams `readonly ServiceView[]`. */
export interface ServiceView {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly stack?: string;
  readonly state: ServiceState;
  readonly ready: number;
  readonly wanted: number;
  /** Now, and where a rollout takes it. */
  readonly weight: number;
  readonly targetWeight: number;
  readonly url?: string;
  readonly versionUrl?: string;
  readonly ports: readonly string[];
  readonly createdAt: number;
  readonly restarts: number;
  /** One line why, when something is wrong. */
  readonly reason?: string;
  readonly workloads: readonly WorkloadView[];
}

export interface WorkloadView {
  readonly id: string;
  readonly phase: string;
  readonly address?: string;
  readonly since: number;
  readonly restarts: number;
  readonly reason?: string;
}

/** One job. `GET /v1/jobs?namespace=N` (absent: default; `*`: all), `&watch=true` streams `readonly JobView[]`. */
export interface JobView {
  /** In lists beside services, which have none. */
  readonly kind: "job";
  readonly namespace: string;
  readonly name: string;
  readonly stack?: string;
  readonly state: JobState;
  readonly schedule?: Schedule;
  readonly nextRunAt?: number;
  readonly createdAt: number;
  /** One line why, when something is wrong. */
  readonly reason?: string;
  /** Newest first. */
  readonly runs: readonly JobRunView[];
}

export type JobRunView = JobRunFacts;

/** `POST /v1/jobs/run`: runs jobs again now; `wait`: answers when they have ended. Answers `readonly JobView[]`. */
export interface RunJobsRequest {
  readonly namespace: string;
  readonly jobs: readonly string[];
  readonly wait: boolean;
}

/** `POST /v1/run`: a service without a file. 409 when app@version exists. Answers `ServiceView`. */
export interface RunRequest {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  /** What a cluster runs. */
  readonly image?: string;
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** As written: `80:9000/http`. */
  readonly ports: readonly string[];
  readonly public?: boolean;
  readonly scale: number;
  readonly egress: boolean;
  /** Percent as written, for a second version of an app; absent: 0 beside others, 100 alone. */
  readonly weight?: number;
  readonly wait: boolean;
}

/** `POST /v1/stage`: a copy of a version with changes, at 0 %. `from` absent: the version with the most weight. Answers `ServiceView`. */
export interface StageRequest {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly from?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly image?: string;
  readonly dir?: string;
  readonly scale?: number;
  readonly wait: boolean;
}

/** `POST /v1/weight`: several at once, atomically; what is not named moves in proportion. Answers `WeightsView`. */
export interface WeightRequest {
  readonly namespace: string;
  readonly app: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly durationMs: number;
  /** Answer only when it is true in Envoy. */
  readonly wait: boolean;
}

/** `POST /v1/promote` (all traffic to one version). Answers `WeightsView`. */
export interface PromoteRequest {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly durationMs: number;
  readonly wait: boolean;
}

/** `POST /v1/rollback`: the weights as they were before the last change, or at `revision`. Answers `WeightsView`. */
export interface RollbackRequest {
  readonly namespace: string;
  readonly app: string;
  readonly revision?: number;
  readonly wait: boolean;
}

export interface WeightsView {
  readonly namespace: string;
  readonly app: string;
  readonly before: Readonly<Record<string, number>>;
  readonly target: Readonly<Record<string, number>>;
  readonly durationMs: number;
  /** Milliseconds from accepting to ACKed by Envoy; present after `wait`. */
  readonly inEnvoyMs?: number;
}

/** `GET /v1/apps/NAMESPACE/APP/history`, newest first. */
export interface HistoryEntry {
  readonly revision: number;
  readonly at: number;
  /** `stage v2`, `weight v2=10%`, `promote v2`, `rollback to 3`, `up shop`. */
  readonly change: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

/** `POST /v1/scale`: answers `readonly ServiceView[]`. A version absent means the app's only version, or all of them. */
export interface ScaleRequest {
  readonly namespace: string;
  /** With `max` the number follows the use of the processor, from `scale` up to it; without it, it is `scale`. */
  readonly targets: readonly { readonly app: string; readonly version?: string; readonly scale: number; readonly max?: number }[];
  readonly wait: boolean;
}

/** `POST /v1/restart`: replaces every replica, new before old, without losing a request. Answers `readonly ServiceView[]`. */
/** `POST /v1/adopt` → `AdoptView`. */
export interface AdoptRequest {
  readonly namespace: string;
  /** Absent: whichever there is of this name. */
  readonly kind?: AdoptedKind;
  readonly name: string;
  readonly app: string;
  readonly version: string;
  readonly wait: boolean;
}

export interface AdoptView {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly adopted: AdoptedName;
  /** `80:8080/http` */
  readonly ports: readonly string[];
  readonly replicas: number;
  /** Basis points of the app's traffic. */
  readonly weight: number;
  /** Absent: nobody waited for it. */
  readonly inEnvoyMs?: number;
}

export interface RestartRequest {
  readonly namespace: string;
  readonly targets: readonly { readonly app: string; readonly version?: string }[];
  readonly wait: boolean;
}

/** `POST /v1/rm`: refs as the user writes them: `hello`, `web@v2`, `router/www`, `config/c`, `ns:web`. */
export interface RemoveRequest {
  readonly namespace: string;
  readonly refs: readonly string[];
  /** Also the data of versions with volumes; of those that are gone already, too. Absent: it is kept. */
  readonly volumes?: boolean;
}
export interface RemoveResult {
  readonly removed: readonly string[];
  /** Volumes of what was removed, as the platform calls them, and what became of them. */
  readonly volumes?: readonly VolumeView[];
}
export interface VolumeView {
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  /** `data-db-v1-0` on a cluster, a folder on one machine. */
  readonly name: string;
  readonly deleted: boolean;
}

/** `POST /v1/down`: one stack, or everything in a namespace, or everything. Waits until it is gone. Answers `RemoveResult`. */
export interface DownRequest {
  readonly stack?: string;
  readonly namespace?: string;
  readonly all: boolean;
  /** Also the data of versions with volumes. Absent: it is kept. */
  readonly volumes?: boolean;
}

/** `GET /v1/inspect/NAMESPACE/REF`: the declared object, its state, its workloads and what Envoy was told. Secrets show keys only. */
export interface InspectView {
  readonly kind: ObjectKind | "app";
  readonly namespace: string;
  readonly name: string;
  readonly spec: unknown;
  readonly status: unknown;
}

/** `GET /v1/logs?namespace=&ref=&ref=&workload=&follow=&tail=&since=`: a stream. */
export interface LogLine {
  readonly at: number;
  readonly workload: string;
  readonly stream: "stdout" | "stderr" | "weir";
  readonly line: string;
}

/** `GET /v1/exec/NAMESPACE/REF?workload=`: how to start a command inside a workload. Of a job `workload` may be a run's name. */
export type ExecView = {
  readonly workload: string;
  /** Of a job: the run that the workload is of. */
  readonly run?: string;
} & (
  | {
      readonly kind: "program";
      /** The client appends its own command. */
      readonly argv: readonly string[];
      /** The whole environment to start it with. */
      readonly env: Readonly<Record<string, string>>;
    }
  /** The cluster's API server starts it. */
  | {
      readonly kind: "pod";
      readonly namespace: string;
      readonly pod: string;
      readonly container: string;
      /** Whether its own process reads what somebody types, and has a terminal. */
      readonly stdin: boolean;
      readonly tty: boolean;
      readonly ports: readonly { readonly port: number; readonly containerPort: number }[];
    }
);

/** `GET /v1/identities?namespace=N` (absent: default; `*`: all) and `&ref=`: who workloads are. */
export interface IdentitiesView {
  /** What an identity is here, for people. */
  readonly meaning: string;
  /** Absent: there are no certificates here. */
  readonly trustDomain?: string;
  /** Of namespaces with pods in the mesh: whether they join unless they say otherwise, and whether they take plain text, too. */
  readonly namespaces: readonly { readonly namespace: string; readonly mode: "strict" | "permissive"; readonly joins: boolean }[];
  readonly workloads: readonly IdentityView[];
}

export interface IdentityView {
  readonly namespace: string;
  /** A pod, on a cluster. */
  readonly workload: string;
  readonly app: string;
  /** Absent: it is of no version that is declared. */
  readonly version?: string;
  readonly node?: string;
  readonly serviceAccount?: string;
  /** SPIFFE ID; on one machine `web.default`. */
  readonly identity: string;
  readonly mode?: "strict" | "permissive";
  readonly state: "joining" | "joined" | "leaving";
  readonly reason?: string;
  readonly proof: IdentityProof;
}

export type IdentityProof =
  /** None yet. */
  | { readonly kind: "none" }
  | { readonly kind: "network-namespace"; readonly networkNamespace: string; readonly address: string }
  | {
      readonly kind: "certificate";
      /** Hex. */
      readonly serial: string;
      readonly notBefore: number;
      readonly notAfter: number;
      /** About when its node asks for the next one. */
      readonly renewAt: number;
      /** Those above it, the root last. */
      readonly chain: readonly { readonly subject: string; readonly fingerprint: string; readonly notBefore: number; readonly notAfter: number }[];
    };

/** `GET /v1/stacks` */
export interface StackView {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly objects: number;
  readonly updatedAt: number;
}

/** `GET /v1/routers?namespace=`, `GET /v1/externals`, `GET /v1/configs`, `GET /v1/secrets` (keys only). */
export interface RouterView {
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly url?: string;
  readonly rules: readonly { readonly match: string; readonly action: string; readonly target: string }[];
}
export interface ExternalView {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly string[];
  readonly targets: readonly string[];
}
export interface DataView {
  readonly namespace: string;
  readonly name: string;
  readonly keys: readonly string[];
  readonly updatedAt: number;
}

export type ProxyConfigState = "connecting" | "synced" | "pending" | "rejected";

export interface ProxyView {
  /** `node`, `gateway`. */
  readonly name: string;
  readonly pid?: number;
  readonly version?: string;
  readonly state: ProxyConfigState;
  readonly since: number;
  /** Envoy's own words, when it refused something; the last good config is still in force. */
  readonly rejected?: readonly { readonly type: string; readonly message: string; readonly at: number }[];
  readonly restarts: number;
}

/** `GET /v1/system` */
export interface SystemView {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly stateDir: string;
  readonly sockets: Readonly<Record<string, string>>;
  readonly gatewayUrl: string;
  readonly agent: { readonly state: "running" | "starting" | "down"; readonly outerPid?: number; readonly innerPid?: number; readonly reason?: string };
  readonly proxies: readonly ProxyView[];
  readonly counts: { readonly services: number; readonly workloads: number };
}

/** `POST /v1/system/stop`: stops daemon, agent, proxies and workloads; what is declared stays and comes back with the next command. */
export interface SystemStopRequest {
  /** Also forget everything declared. */
  readonly purge: boolean;
}

/** `POST /v1/system/replace-envoy`: new Envoy processes for old, without losing a request. */
export interface ReplaceEnvoyResult {
  readonly replaced: readonly string[];
}
