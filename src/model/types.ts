/**
 * What the user says, after parsing: complete (every default filled in), checked, immutable.
 * Times are milliseconds. Weights are basis points: 10 000 is 100 %.
 */
import type { SourcePlace } from "../lib/problem.ts";
import type { AppName, Namespace, VersionName } from "./names.ts";

export type Protocol = "http" | "http2" | "grpc" | "tcp";

/** `80:8080/http`: callers use `port`, the process listens on `containerPort`. */
export interface Port {
  readonly port: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

export type ProbeKind =
  | { readonly kind: "http"; readonly path: string; readonly port: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };

export interface Probe {
  readonly check: ProbeKind;
  readonly initialDelayMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

export interface Health {
  readonly start?: Probe;
  readonly ready?: Probe;
  readonly live?: Probe;
}

/** A value written down, or taken from a config or secret of the same namespace when the workload starts. */
export type EnvValue =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "config"; readonly name: string; readonly key: string }
  | { readonly kind: "secret"; readonly name: string; readonly key: string };

/** A config's or secret's keys as files below `path` in the workload (one key: `path` is the file). */
export interface Mount {
  readonly kind: "config" | "secret";
  readonly name: string;
  readonly key?: string;
  readonly path: string;
}

/** A folder of each workload's own that outlives it: the next workload with its number finds it again. */
export interface Volume {
  readonly name: string;
  /** Where it appears in the workload. */
  readonly path: string;
  /** A Kubernetes quantity: `1Gi`. Of no account where folders are volumes. */
  readonly size: string;
  /** The cluster's storage class; absent: its usual one. */
  readonly class?: string;
}

/** On a cluster the number of workloads follows their use of the processor; a service's `scale` is the smallest number. */
export interface Autoscale {
  readonly max: number;
  /** Percent of `resources.cpu` that workloads should use on average. */
  readonly cpu: number;
}

/** What each workload is sure to get on a cluster, as Kubernetes quantities; of memory it gets no more either. */
export interface Resources {
  readonly cpu?: string;
  readonly memory?: string;
}

/** Somebody else's workloads that a version has: a Deployment's, a StatefulSet's or a DaemonSet's, exactly one. Nothing of it is ever changed. */
export interface Adopted {
  readonly deployment?: string;
  readonly statefulSet?: string;
  readonly daemonSet?: string;
  /** Labels of its pods, all of them; they never change. */
  readonly selector: Readonly<Record<string, string>>;
}

/** One version of one app: the immutable template of its workloads. `scale` alone may change later. */
export interface Service {
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** What its container is made from, on a platform of containers; where processes are started, `command` alone says what runs. */
  readonly image?: string;
  /** In place of an image, on a cluster: its workloads are there already, and not ours to start, count or end. */
  readonly adopted?: Adopted;
  /** Program and its arguments (`command` then `args`). Empty: the image's own. */
  readonly command: readonly string[];
  /** Absolute path of the working directory. With an image, the image's own is the working directory. */
  readonly dir: string;
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly ports: readonly Port[];
  /** Reachable through the gateway. */
  readonly public: boolean;
  readonly health: Health;
  /** How many workloads; at least so many with `autoscale`; 1 with `perNode`. */
  readonly scale: number;
  readonly autoscale?: Autoscale;
  /** One on every node of a cluster, in place of `scale`. */
  readonly perNode?: boolean;
  readonly resources?: Resources;
  /** Absent or empty: nothing of a workload outlives it. */
  readonly volumes?: readonly Volume[];
  readonly mounts: readonly Mount[];
  readonly drainMs: number;
  readonly graceMs: number;
  readonly stopSignal: string;
  /** May call anything outside the mesh, not only declared external services. */
  readonly egress: boolean;
}

/** When something happens again and again. */
export interface Schedule {
  /** Five fields of cron, or `@hourly` and the like. */
  readonly cron: string;
  /** IANA's name: `Europe/Berlin`. */
  readonly timeZone: string;
}

/** What runs to its end: once for everything that it is made from, or by a schedule. A caller in the mesh, which nobody calls. */
export interface Job {
  readonly namespace: Namespace;
  /** Also its identity. */
  readonly name: AppName;
  /** As of services. */
  readonly image?: string;
  readonly command: readonly string[];
  readonly dir: string;
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly mounts: readonly Mount[];
  readonly graceMs: number;
  readonly stopSignal: string;
  readonly egress: boolean;
  readonly schedule?: Schedule;
  /** How often it is tried again after it failed. */
  readonly retries: number;
  /** A run, with everything that is tried again, may take so long. */
  readonly timeoutMs?: number;
  /** What a time of the schedule does while an earlier run goes on. */
  readonly concurrency: Concurrency;
  /** So many runs that ended are kept, with what they said. */
  readonly keep: number;
  /** As of services. */
  readonly resources?: Resources;
  readonly where?: SourcePlace;
}

/** forbid: that time is left out · allow: both run · replace: the earlier one is ended. */
export type Concurrency = "forbid" | "allow" | "replace";

export type TextMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string }
  | { readonly kind: "present" };

export interface NamedMatch {
  readonly name: string;
  readonly value: TextMatch;
}

/** All parts must hold. A `prefix` path matches whole segments (`/a` matches `/a/b`, not `/ab`). */
export interface RouteMatch {
  readonly path?: Exclude<TextMatch, { kind: "present" }>;
  readonly methods: readonly string[];
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  readonly cookies: readonly NamedMatch[];
}

/** An app (all its weighted versions), one version of it, or an external service. */
export interface DestinationRef {
  readonly kind: "app" | "version" | "external";
  readonly namespace: Namespace;
  readonly name: string;
  readonly version?: VersionName;
  /** The callers' port; absent: the only one, or the first HTTP one. */
  readonly port?: number;
}

export interface WeightedDestination {
  readonly to: DestinationRef;
  /** Basis points; the destinations of one rule sum to 10 000. */
  readonly weight: number;
  /** For this destination only, beside the rule's own. */
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** Where copies of requests go, whose answers nobody reads. */
export interface Mirror {
  readonly to: DestinationRef;
  /** Basis points of the requests. */
  readonly share: number;
}

export interface HeaderChanges {
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

export interface Retries {
  readonly attempts: number;
  readonly perTryTimeoutMs?: number;
  /** Envoy's `retry_on` conditions, e.g. `5xx`, `connect-failure`. */
  readonly on: readonly string[];
  /** Of answers, for `retriable-status-codes`. */
  readonly codes?: readonly number[];
}

export interface Rewrite {
  readonly host?: string;
  /** Replaces the matched prefix (or the whole path of an exact match). */
  readonly path?: string;
  /** Replaces the whole path, whatever matched. */
  readonly fullPath?: string;
  readonly regex?: { readonly pattern: string; readonly substitution: string };
}

export interface Redirect {
  readonly scheme?: "http" | "https";
  readonly host?: string;
  readonly port?: number;
  /** Replaces the matched prefix, or the whole path of any other match. The query stays. */
  readonly path?: string;
  /** Replaces the whole path, whatever matched. The query stays. */
  readonly fullPath?: string;
  readonly code: 301 | 302 | 303 | 307 | 308;
}

export type RouteAction =
  | {
      readonly kind: "forward";
      readonly destinations: readonly WeightedDestination[];
      readonly rewrite?: Rewrite;
      /** Whole request, retries included; 0: none; absent: the default. */
      readonly timeoutMs?: number;
      readonly retries?: Retries;
      /** One try, where `retries` does not say; 0: none. */
      readonly tryTimeoutMs?: number;
      readonly mirrors?: readonly Mirror[];
      /** Basis points of the requests that are answered with 500, because what they should go to may not be gone to; the destinations share the rest. */
      readonly refused?: number;
    }
  | { readonly kind: "redirect"; readonly redirect: Redirect };

export interface RouteRule {
  /** Any of these; empty matches everything. */
  readonly match: readonly RouteMatch[];
  readonly action: RouteAction;
  readonly requestHeaders: HeaderChanges;
  readonly responseHeaders: HeaderChanges;
  readonly where?: SourcePlace;
}

/** Hostnames and rules in front of apps. The first rule that matches wins. */
export interface Router {
  readonly namespace: Namespace;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly public: boolean;
  readonly rules: readonly RouteRule[];
  readonly where?: SourcePlace;
}

/** A service outside the mesh under a name of ours. `localhost` is the machine's own loopback. */
export interface ExternalService {
  readonly namespace: Namespace;
  readonly name: string;
  readonly endpoints: readonly { readonly host: string; readonly port: number }[];
  readonly ports: readonly Port[];
  /** TLS is originated towards it, with this server name. */
  readonly tls?: { readonly serverName: string };
  readonly where?: SourcePlace;
}

/** Keys and contents. A secret's never appear in output, logs or errors. */
export interface Config {
  readonly namespace: Namespace;
  readonly name: string;
  readonly data: Readonly<Record<string, string>>;
}
export type Secret = Config;

/** Initial weight of a version as the file asks for it, basis points. */
export interface WantedWeight {
  readonly app: AppName;
  readonly namespace: Namespace;
  readonly version: VersionName;
  readonly weight: number;
}

/** Everything one file declares: what one `up` owns. */
export interface Stack {
  readonly name: string;
  readonly namespaces: readonly Namespace[];
  readonly services: readonly Service[];
  /** Only what the file says; versions it is silent about keep their weight. */
  readonly weights: readonly WantedWeight[];
  readonly jobs: readonly Job[];
  readonly routers: readonly Router[];
  readonly externals: readonly ExternalService[];
  readonly configs: readonly Config[];
  readonly secrets: readonly Secret[];
}
