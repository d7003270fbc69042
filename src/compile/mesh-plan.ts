/**
 * Everything about traffic, decided: no name left to resolve, no default left to fill in.
 * Emitters translate a plan to somebody's format and decide nothing.
 */
import type { SourcePlace } from "../lib/problem.ts";
import type { Cors, GatewayTarget } from "../model/gateway.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import type { HeaderChanges, Protocol, Redirect, Retries, Rewrite, RouteMatch } from "../model/types.ts";
import type { CapturePoint, Endpoint, GatewaySettings } from "../model/world.ts";

/** Stable name of one load-balanced set: `web@v1.default:80`, `external/db.default:5432`. */
export type BackendId = string & { readonly __backend: never };

export type Backend = {
  readonly id: BackendId;
  readonly namespace: Namespace;
  readonly protocol: Protocol;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly limits: { readonly maxConnections: number; readonly maxPendingRequests: number; readonly maxRequests: number; readonly maxRetries: number };
} & (
  | { readonly kind: "version"; readonly app: AppName; readonly version: VersionName; readonly containerPort: number; readonly drainMs: number }
  | {
      readonly kind: "external";
      readonly name: string;
      readonly targets: readonly { readonly host: string; readonly port: number }[];
      readonly tls?: { readonly serverName: string };
    }
);

export interface WeightedBackend {
  readonly backend: BackendId;
  /** Basis points; those of one route sum to 10 000. */
  readonly weight: number;
  /** The Host header that it expects, where that is not the one the caller sent. */
  readonly authority?: string;
  /** For this backend only, beside the route's own. */
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

export interface Route {
  /** Unique in its host: `web`, `www#0`. */
  readonly name: string;
  /** Any of these; empty matches everything. */
  readonly match: readonly RouteMatch[];
  readonly requestHeaders: HeaderChanges;
  readonly responseHeaders: HeaderChanges;
  readonly action:
    | {
        readonly kind: "forward";
        readonly destinations: readonly WeightedBackend[];
        readonly rewrite?: Rewrite;
        /** 0: no limit. */
        readonly timeoutMs: number;
        /** Nothing was sent in either direction for this long; absent: what is usual where the proxy stands. */
        readonly idleTimeoutMs?: number;
        readonly retries?: Retries;
        /** Copies of requests; basis points of them. */
        readonly mirrors?: readonly { readonly backend: BackendId; readonly share: number }[];
        /** Basis points of the requests that are answered with 500; the destinations share the rest. */
        readonly refused?: number;
      }
    | { readonly kind: "redirect"; readonly redirect: Redirect };
  /** At a cluster's gateways only. */
  readonly cors?: Cors;
  readonly where?: SourcePlace;
}

/** What answers on one port of a host. `ports` lists every number that callers may use for it. */
export type HostPort =
  | { readonly kind: "http"; readonly ports: readonly number[]; readonly protocol: "http" | "http2" | "grpc"; readonly routes: readonly Route[] }
  | {
      readonly kind: "tcp";
      readonly ports: readonly number[];
      readonly destinations: readonly WeightedBackend[];
      /** On a cluster: what decides in place of `destinations`, which are empty then. */
      readonly routed?: RoutedConnections;
    };

/** A route of whole connections: by share alone, or by server name first (TLS passes through; connections without one of the names are closed). */
export type RoutedConnections =
  | { readonly kind: "tcp"; readonly target: PlannedTarget }
  | {
      readonly kind: "tls";
      /** Unique in the plan: `web.default:443`, `team-a/web.default:443` for the callers of one namespace. */
      readonly name: string;
      readonly servers: readonly PlannedName[];
    };

/** Where connections go. */
export type PlannedTarget = GatewayTarget<WeightedBackend>;

/** Where connections go that ask for a server name. */
export interface PlannedName {
  /** As in `NamedTarget`. */
  readonly domain: string;
  readonly target: PlannedTarget;
}

/** A name that clients call. */
export interface Host {
  readonly kind: "app" | "version" | "router" | "external";
  readonly namespace: Namespace;
  /** `web`, `web-v2`, `www`, `db`. */
  readonly name: string;
  /** The app behind an app's or version's name. */
  readonly app?: AppName;
  readonly version?: VersionName;
  /** Virtual IP; absent when the platform assigns it (export). */
  readonly address?: string;
  readonly ports: readonly HostPort[];
  readonly public: boolean;
  /** Full host names at the gateway, and for routers also inside the mesh: `web.localhost`, `shop.example`. */
  readonly domains: readonly string[];
  readonly where?: SourcePlace;
}

/** A public TCP port of the gateway. */
export interface GatewayTcp {
  readonly port: number;
  readonly destinations: readonly WeightedBackend[];
}

export interface MeshPlan {
  readonly hosts: readonly Host[];
  /** All hosts as the callers of a namespace see them that has routes of its own; others see `hosts`. */
  readonly hostsFor: ReadonlyMap<Namespace, readonly Host[]>;
  readonly backends: readonly Backend[];
  readonly captures: readonly CapturePoint[];
  readonly gateway: GatewaySettings;
  readonly gatewayTcp: readonly GatewayTcp[];
  /** The fast path: only ready ones that may receive traffic. External backends have none here. */
  readonly endpoints: ReadonlyMap<BackendId, readonly Endpoint[]>;
}
