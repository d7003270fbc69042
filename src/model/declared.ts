/**
 * What is declared, as it is kept: every object with its owner, its history and a resource version.
 * Who keeps it (a database here, a cluster's API there) is behind `DeclaredStore`.
 */
import type { Readable } from "../lib/cell.ts";
import type { Result } from "../lib/problem.ts";
import type { AppName, Namespace, VersionName } from "./names.ts";
import type { Config, ExternalService, Job, Router, Service } from "./types.ts";
import { addVersion, removeVersion } from "./weights.ts";

/** One version of one app. Key `NAMESPACE/APP@VERSION`. */
export interface DeclaredService {
  readonly service: Service;
  /** What declared it: a file (and only a file can prune it), or a command. */
  readonly origin: "file" | "command";
  /** Counts the restarts that the user asked for; part of what a replica must be made from. */
  readonly restarts: number;
}

/** Shares by version, basis points, sum 10 000. */
export type Shares = Readonly<Record<string, number>>;

/** One moment in the life of an app's weights. */
export interface WeightChange {
  readonly revision: number;
  readonly at: number;
  /** `stage v2`, `weight v2=10%`, `promote v2`, `rollback to 3`, `up shop`. */
  readonly change: string;
  readonly weights: Shares;
  readonly durationMs: number;
}

/** The way from old shares to the app's `weights`; it needs no writing while it goes on, the clock says where it is. */
export interface Rollout {
  readonly from: Shares;
  readonly startedAt: number;
  readonly durationMs: number;
}

/** The weights of an app. Key `NAMESPACE/APP`. */
export interface DeclaredApp {
  readonly namespace: Namespace;
  readonly app: AppName;
  /** Where the rollout leads, or what holds when there is none. Every declared version has one. */
  readonly weights: Shares;
  readonly rollout?: Rollout;
  /** Oldest first. */
  readonly history: readonly WeightChange[];
}

/** One job. Key `NAMESPACE/NAME`. */
export interface DeclaredJob {
  readonly job: Job;
  /** Counts how often the user asked for another run. */
  readonly restarts: number;
}

/** What a run of a job is made from, kept while it goes on. */
export interface JobTemplate {
  readonly job: Job;
  readonly configs: readonly Config[];
  readonly secrets: readonly Config[];
}

/** stopped: something ended it before it ended: another run took its place, or its job is no longer declared. */
export type RunState = "running" | "succeeded" | "failed" | "stopped";

/** One run of a job on this machine. Key `NAMESPACE/NAME#NUMBER`. */
export interface KeptRun {
  readonly namespace: Namespace;
  readonly job: AppName;
  /** Counts the runs of the job, from 1: a greater one is newer. */
  readonly number: number;
  /** Of its workload, whose log is kept. */
  readonly id: string;
  /** What it runs for: the hash of what it is made from, `restart N`, or `at TIME`. The same is not run again. */
  readonly cause: string;
  readonly hash: string;
  readonly startedAt: number;
  readonly state: RunState;
  /** Absent: it goes on. */
  readonly endedAt?: number;
  /** One line why it failed. */
  readonly reason?: string;
  /** Absent: it has ended. */
  readonly template?: JobTemplate;
}

/** What one `up` owns. Key: the stack's name. */
export interface DeclaredStack {
  readonly name: string;
  readonly namespaces: readonly string[];
}

/** The virtual IP of a name. Key `NAMESPACE/NAME`. */
export interface DeclaredAddress {
  readonly ip: string;
}

/**
 * What replicas of one hash are made from, kept while one of them runs, so that they can outlive the declaration they came from.
 * Key: `NAMESPACE/APP@VERSION#HASH`.
 */
export interface Template {
  readonly hash: string;
  readonly service: Service;
  readonly restarts: number;
  readonly configs: readonly Config[];
  readonly secrets: readonly Config[];
}

/** Kind → what is kept of it. Jobs, routers, external services, configs and secrets have the key `NAMESPACE/NAME`. */
export interface Kinds {
  readonly service: DeclaredService;
  readonly app: DeclaredApp;
  readonly job: DeclaredJob;
  readonly router: Router;
  readonly external: ExternalService;
  readonly config: Config;
  readonly secret: Config;
  readonly stack: DeclaredStack;
  readonly address: DeclaredAddress;
  readonly template: Template;
  readonly run: KeptRun;
}
export type Kind = keyof Kinds;

export const kinds = [
  "service",
  "app",
  "job",
  "router",
  "external",
  "config",
  "secret",
  "stack",
  "address",
  "template",
  "run",
] as const satisfies readonly Kind[];

/** One kept object. Immutable; a change makes a new one. */
export interface Declared<K extends Kind = Kind> {
  readonly kind: K;
  readonly key: string;
  /** The stack that owns it; absent: a command made it. */
  readonly stack?: string;
  /** Counts the changes of `value`, from 1. */
  readonly generation: number;
  /** Resource version: grows with every commit, over all objects. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly value: Kinds[K];
}

/** Everything at one moment. Objects that did not change are the identical values of the snapshot before. */
export interface DeclaredSnapshot {
  /** Of the newest commit. */
  readonly version: number;
  readonly objects: { readonly [K in Kind]: ReadonlyMap<string, Declared<K>> };
}

/** Puts a whole object. `expected`: the version it must have now; 0: it must not exist; absent: either way. */
export type Put = {
  readonly [K in Kind]: {
    readonly op: "put";
    readonly kind: K;
    readonly key: string;
    readonly stack?: string;
    readonly value: Kinds[K];
    readonly expected?: number;
  };
}[Kind];
/** Deletes an object that must exist. */
export interface Delete {
  readonly op: "delete";
  readonly kind: Kind;
  readonly key: string;
  readonly expected?: number;
}
export type Write = Put | Delete;

/** One step of the watch, in the order of versions. */
export interface DeclaredChange {
  readonly version: number;
  readonly kind: Kind;
  readonly key: string;
  /** Absent: deleted. */
  readonly object?: Declared;
}

/** Where declarations live. Reading never waits: whoever keeps them keeps them in memory, too. */
export interface DeclaredStore {
  readonly snapshot: Readable<DeclaredSnapshot>;
  /**
   * All or nothing, safe when it resolves, and `snapshot` has it then. An object put with an equal value and owner does not change.
   * Problems: `conflict` (an `expected` does not hold), `not-found` (nothing to delete); a store on somebody's API also has that API's.
   */
  commit(writes: readonly Write[]): Promise<Result<DeclaredSnapshot>>;
  /**
   * Every change after version `from`, without gaps, in order, one batch per commit, until `signal` aborts.
   * Yields `expired` and ends when changes after `from` are no longer known: read the snapshot and watch from its version.
   */
  watch(from: number, signal: AbortSignal): AsyncGenerator<DeclaredBatch, void, void>;
}

/** A store in this process, where nobody else writes: its commits need no waiting. */
export interface LocalStore extends DeclaredStore {
  /** As `commit`, done when it returns. */
  commitNow(writes: readonly Write[]): Result<DeclaredSnapshot>;
}

export type DeclaredBatch =
  | { readonly kind: "changes"; readonly version: number; readonly changes: readonly DeclaredChange[] }
  | { readonly kind: "expired"; readonly version: number };

/** A snapshot of nothing. */
export function emptySnapshot(): DeclaredSnapshot {
  const none = new Map<string, never>();
  return {
    version: 0,
    objects: {
      service: none,
      app: none,
      job: none,
      router: none,
      external: none,
      config: none,
      secret: none,
      stack: none,
      address: none,
      template: none,
      run: none,
    },
  };
}

/** Shares as a map, for the weight functions. */
export function sharesToMap(shares: Shares): ReadonlyMap<VersionName, number> {
  return new Map(Object.entries(shares).map(([version, weight]) => [version as VersionName, weight]));
}

/** Shares of exactly these versions: new ones at 0 (a first one at 100 %), the share of a gone one to the others in proportion. */
export function sharesOf(shares: Shares, versions: readonly VersionName[]): Shares {
  let weights = sharesToMap(shares);
  for (const gone of [...weights.keys()].filter((version) => !versions.includes(version)).toSorted()) weights = removeVersion(weights, gone);
  for (const version of versions) weights = addVersion(weights, version);
  return mapToShares(weights);
}

/** Shares as they are kept, sorted by version. */
export function mapToShares(weights: ReadonlyMap<VersionName, number>): Shares {
  return Object.fromEntries([...weights].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
