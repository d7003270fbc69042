/** What the API needs of the rest of the daemon. */
import type { Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Result } from "../lib/problem.ts";
import type { AdoptedKind } from "../model/adopted.ts";
import type { DeclaredSnapshot, DeclaredStore } from "../model/declared.ts";
import type { Runs } from "../model/file/scope.ts";
import type { JobNow } from "../model/job-run.ts";
import type { MeshReport } from "../model/mesh-report.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import type { Adopted, Port } from "../model/types.ts";
import type { Workload } from "../model/workload.ts";
import type { World } from "../model/world.ts";
import type { ReplicaState } from "../release/progress.ts";
import type { LogLine, ProxyView, SystemView } from "./contract.ts";

/** A resource that a proxy did not take. */
export interface Refused {
  readonly proxy: string;
  /** Of the resource: `web@v1.default:80`. */
  readonly name: string;
  /** The proxy's own words. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Everything at one moment, after every step of the control loop. */
export interface Observed {
  /** What was declared when the step was made. */
  readonly declared: DeclaredSnapshot;
  /** `gateway` is absent where there is none. */
  readonly world: Omit<World, "gateway"> & Partial<Pick<World, "gateway">>;
  readonly replicas: ReplicaState;
  /** By key, declared jobs; absent: none. */
  readonly jobs?: ReadonlyMap<string, JobNow>;
  /** Workloads of jobs' runs that are there; absent: none. */
  readonly runs?: ReadonlyMap<string, Workload>;
  /** Revision of the newest World that every proxy it concerns has acknowledged, apart from `refusals`; 0: none yet. */
  readonly ackedRevision: number;
  /** What (`KIND KEY`) is not in Envoy as declared although the revisions agree, where objects are acknowledged one by one. */
  readonly late?: ReadonlySet<string>;
  /** Why something (`KIND KEY`) cannot become as declared, apart from what its replicas say: none may be made, its name is somebody else's. */
  readonly hindrances?: ReadonlyMap<string, string>;
  /** Version → one line about what is not as one may think although the version is as declared. */
  readonly remarks?: ReadonlyMap<string, string>;
  /** What proxies refuse of the newest World; what they had stays in force. */
  readonly refusals: readonly Refused[];
  /** Whether the platform is heard of now, and has been told everything; `teller` says who is not heard of, if not the node agent. */
  readonly platform: {
    readonly connected: boolean;
    readonly reason?: string;
    readonly upToDate: boolean /** Absent: the node agent. */;
    readonly teller?: string;
  };
}

export interface LogQuery {
  readonly workloads: readonly string[];
  readonly tail?: number;
  readonly since?: number;
}

/** How a command is started inside a workload: by this program here, or by the cluster's API server there. */
export type ExecPlan =
  | { readonly kind: "program"; readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: "pod"; readonly namespace: string; readonly pod: string; readonly container: string; readonly stdin: boolean; readonly tty: boolean };

/** What is to be adopted. */
export interface AdoptionWish {
  readonly namespace: string;
  readonly kind?: AdoptedKind;
  readonly name: string;
  readonly app: string;
}

/** Workloads that are there already, as a version would have them. */
export interface FoundWorkloads {
  readonly adopted: Adopted;
  readonly ports: readonly Port[];
  readonly replicas: number;
}

/** What services must say on this platform, and what must be there before something is declared. */
export interface PlatformTraits {
  readonly runs: Runs;
  /** Who says what runs: "the node agent". */
  readonly teller: string;
  /** Where to see what the proxies are about: "`weir system status` shows the proxies". */
  readonly seeProxies: string;
  /** Makes namespaces that are missing. Absent: they need not be made. */
  readonly makeNamespaces?: (names: readonly string[]) => Promise<Result<void>>;
  /** Whether somebody else's Service has this app's name. Absent: there are none. */
  readonly hasOtherService?: (namespace: string, app: string) => Promise<boolean>;
  /** Looks at what a version of `app` may adopt, of this kind or of any. Absent: there is nothing. */
  readonly findAdoptable?: (wish: AdoptionWish) => Promise<Result<FoundWorkloads>>;
}

/** Whose volumes are meant; without a version those of all versions of an app, also of such as are gone. */
export interface VolumeQuery {
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version?: VersionName;
}

/** Data of one replica of a version, which may be gone. */
export interface KeptVolume {
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** As the platform calls it. */
  readonly name: string;
}

/** The platform's and the proxies' side of the machine. */
export interface Machine {
  readLogs(query: LogQuery): Promise<readonly LogLine[]>;
  followLogs(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void>;
  /** Undefined when the workload does not run. */
  exec(workload: string): Promise<ExecPlan | undefined>;
  /** What the control plane says of the mesh, by namespace; of all that we may see without one. Absent: there is no control plane but ourselves. */
  meshReports?(namespace: string | undefined): Promise<Result<ReadonlyMap<string, MeshReport>>>;
  /** What the platform noted lately about a version (by its key) that does not come up, or a job that is not done, newest last; absent: it keeps no such notes. */
  notes?(key: string): Promise<readonly string[]>;
  /** The volumes that are there. */
  keptVolumes(queries: readonly VolumeQuery[]): Promise<Result<readonly KeptVolume[]>>;
  /** Deletes data. Nothing that uses it may run. */
  deleteVolumes(volumes: readonly KeptVolume[]): Promise<Result<void>>;
  replaceProxies(): Promise<readonly string[]>;
  proxies(): Promise<readonly ProxyView[]>;
  agent(): Promise<SystemView["agent"]>;
  /** Ends the platform with everything on it; with `purge` also forgets what is declared. */
  stop(purge: boolean): Promise<void>;
}

export interface ApiContext {
  readonly store: DeclaredStore;
  readonly observed: Readable<Observed | undefined>;
  readonly machine: Machine;
  readonly platform: PlatformTraits;
  readonly clock: Clock;
  readonly log: Log;
  readonly about: {
    readonly version: string;
    readonly pid: number;
    readonly startedAt: number;
    readonly stateDir: string;
    readonly sockets: Readonly<Record<string, string>>;
    readonly gatewayUrl: string;
  };
  /** Called when an answer to `system stop` is on its way: the daemon ends. */
  readonly quit: () => void;
}
