/** All that is known at one moment; immutable. A change makes a new World that shares what did not change. */
import type { AppKey, AppName, Namespace, ObjectKey, VersionKey, VersionName } from "./names.ts";
import type { ServiceRoute } from "./service-route.ts";
import type { ExternalService, Router, Service } from "./types.ts";

/** One running replica that may receive traffic. */
export interface Endpoint {
  /** Workload id, unique on the platform. */
  readonly id: string;
  readonly address: string;
  readonly ready: boolean;
  /** Callers' port → where it listens. Absent: at each port's own container port. Present: these are all; a port that is missing leads nowhere here. */
  readonly ports?: ReadonlyMap<number, number>;
  /** The machine it runs on, where there are several. */
  readonly node?: string;
}

/** A workload whose outgoing traffic the node proxy captures. */
export interface CapturePoint {
  readonly workload: string;
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** As Envoy must name it (`SocketAddress.network_namespace_filepath`). */
  readonly networkNamespace: string;
  readonly address: string;
  readonly port: number;
  readonly egress: boolean;
}

export interface App {
  readonly namespace: Namespace;
  readonly name: AppName;
  readonly versions: ReadonlyMap<VersionName, Service>;
  /** Basis points now (a rollout moves them); every version has one; they sum to 10 000. */
  readonly weights: ReadonlyMap<VersionName, number>;
}

/** Where the gateway and the way out live on this platform. */
export interface GatewaySettings {
  /** Where outsiders connect: `127.0.0.1`, 8080. */
  readonly address: string;
  readonly port: number;
  /** Folder of the Unix sockets between the gateway Envoy and the node Envoy. */
  readonly socketDir: string;
  /** `localhost`: `web.localhost`. */
  readonly domain: string;
}

export interface World {
  readonly revision: number;
  readonly apps: ReadonlyMap<AppKey, App>;
  readonly routers: ReadonlyMap<ObjectKey, Router>;
  /** Where a platform has routes of an app's own ports; one machine has none. For each app at most one for the same port and callers. */
  readonly serviceRoutes: ReadonlyMap<AppKey, readonly ServiceRoute[]>;
  readonly externals: ReadonlyMap<ObjectKey, ExternalService>;
  readonly endpoints: ReadonlyMap<VersionKey, readonly Endpoint[]>;
  readonly captures: readonly CapturePoint[];
  /** `NAMESPACE/NAME` (app, `app-version`, router, external) → virtual IP. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly gateway: GatewaySettings;
}
