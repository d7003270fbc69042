/** All kinds of a cluster that we read, together: one immutable view after the other. */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { sameFields } from "../../lib/memoize.ts";
import type { KubeClient } from "./client.ts";
import type { KubeGateway, KubeGatewayClass, KubeTlsSecret } from "./gateway-objects.ts";
import type { ClusterView, KubeEndpointSlice, KubeNamespace, KubeNode, KubePod, KubeService } from "./objects.ts";
import { readGateway, readGatewayClass, readTlsSecret } from "./read-gateways.ts";
import { readEndpointSlice, readNamespace, readNode, readPod, readService } from "./read-objects.ts";
import { readGrpcRoute, readHttpRoute, readReferenceGrant, readTcpRoute, readTlsRoute } from "./read-routes.ts";
import { type Reflected, Reflector } from "./reflector.ts";
import type { KubeReferenceGrant, KubeRoute } from "./route-objects.ts";

export interface ClusterWatchOptions {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1: spreads the retries of many. */
  readonly random: () => number;
  /** After a view the next one takes at least so long; what happens meanwhile is in it. Default 50 ms. */
  readonly restMs?: number;
}

interface Reflectors {
  readonly namespaces: Reflector<KubeNamespace>;
  readonly nodes: Reflector<KubeNode>;
  readonly pods: Reflector<KubePod>;
  readonly services: Reflector<KubeService>;
  readonly endpointSlices: Reflector<KubeEndpointSlice>;
  readonly httpRoutes: Reflector<KubeRoute>;
  readonly grpcRoutes: Reflector<KubeRoute>;
  readonly tlsRoutes: Reflector<KubeRoute>;
  readonly tcpRoutes: Reflector<KubeRoute>;
  readonly gatewayClasses: Reflector<KubeGatewayClass>;
  readonly gateways: Reflector<KubeGateway>;
  readonly tlsSecrets: Reflector<KubeTlsSecret>;
  readonly referenceGrants: Reflector<KubeReferenceGrant>;
}

/** A reflector of any kind. */
interface AnyReflector {
  readonly state: Readable<Reflected<unknown>>;
  start(signal: AbortSignal): Promise<void>;
}

const core = (resource: string) => ({ group: "", version: "v1", resource });
/** Not every cluster has Gateway API. */
const gateway = (version: string, resource: string) => ({ kind: { group: "gateway.networking.k8s.io", version, resource }, mayBeMissing: true }) as const;

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #reflectors: Reflectors;
  readonly #view = new Cell<ClusterView | undefined>(undefined);
  readonly #changes = new Cell(0);

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
    this.#reflectors = {
      namespaces: new Reflector({ ...options, kind: core("namespaces"), read: readNamespace }),
      nodes: new Reflector({ ...options, kind: core("nodes"), read: readNode }),
      pods: new Reflector({ ...options, kind: core("pods"), read: readPod }),
      services: new Reflector({ ...options, kind: core("services"), read: readService }),
      endpointSlices: new Reflector({ ...options, kind: { group: "discovery.k8s.io", version: "v1", resource: "endpointslices" }, read: readEndpointSlice }),
      httpRoutes: new Reflector({ ...options, ...gateway("v1", "httproutes"), read: readHttpRoute }),
      grpcRoutes: new Reflector({ ...options, ...gateway("v1", "grpcroutes"), read: readGrpcRoute }),
      tlsRoutes: new Reflector({ ...options, ...gateway("v1", "tlsroutes"), read: readTlsRoute }),
      tcpRoutes: new Reflector({ ...options, ...gateway("v1", "tcproutes"), read: readTcpRoute }),
      gatewayClasses: new Reflector({ ...options, ...gateway("v1", "gatewayclasses"), read: readGatewayClass }),
      gateways: new Reflector({ ...options, ...gateway("v1", "gateways"), read: readGateway }),
      // The only Secrets that are read; whoever takes that right away has no HTTPS at gateways.
      tlsSecrets: new Reflector({
        ...options,
        kind: core("secrets"),
        selection: { fields: "type=kubernetes.io/tls" },
        mayBeMissing: true,
        read: readTlsSecret,
      }),
      referenceGrants: new Reflector({ ...options, ...gateway("v1beta1", "referencegrants"), read: readReferenceGrant }),
    };
  }

  /** Undefined until everything was listed once. */
  get view(): Readable<ClusterView | undefined> {
    return this.#view;
  }

  /** One line why the cluster cannot be read now, also before the first view; undefined: it can. */
  get trouble(): string | undefined {
    for (const [name, reflector] of Object.entries<AnyReflector>({ ...this.#reflectors })) {
      const { connected, reason } = reflector.state.get();
      if (!connected) return `${name}: ${reason ?? "not connected"}`;
    }
    return undefined;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const all = Object.values<AnyReflector>({ ...this.#reflectors });
    await Promise.all([...all.flatMap((reflector) => [reflector.start(signal), this.#listen(reflector.state, signal)]), this.#publish(signal)]);
  }

  async #listen(state: Readable<Reflected<unknown>>, signal: AbortSignal): Promise<void> {
    for await (const _ of state.watch(signal)) this.#changes.update((count) => count + 1);
  }

  /** The first change at once, then at most one view per rest. */
  async #publish(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#changes.watch(signal)) {
      if (this.#view.update((before) => this.#look(before))) await this.#options.clock.sleep(this.#options.restMs ?? 50, signal);
    }
  }

  /** The view of now; `before` when nothing changed. */
  #look(before: ClusterView | undefined): ClusterView | undefined {
    const all: readonly AnyReflector[] = Object.values<AnyReflector>({ ...this.#reflectors });
    if (!all.every((reflector) => reflector.state.get().synced)) return undefined;
    const reason = this.trouble;
    const view: ClusterView = { ...objectsOf(this.#reflectors), connected: reason === undefined, ...(reason === undefined ? {} : { reason }) };
    return before !== undefined && sameFields(before, view) ? before : view;
  }
}

/** What each reflector has now. */
function objectsOf(reflectors: Reflectors): Omit<ClusterView, "connected" | "reason"> {
  return {
    namespaces: reflectors.namespaces.state.get().objects,
    nodes: reflectors.nodes.state.get().objects,
    pods: reflectors.pods.state.get().objects,
    services: reflectors.services.state.get().objects,
    endpointSlices: reflectors.endpointSlices.state.get().objects,
    httpRoutes: reflectors.httpRoutes.state.get().objects,
    grpcRoutes: reflectors.grpcRoutes.state.get().objects,
    tlsRoutes: reflectors.tlsRoutes.state.get().objects,
    tcpRoutes: reflectors.tcpRoutes.state.get().objects,
    gatewayClasses: reflectors.gatewayClasses.state.get().objects,
    gateways: reflectors.gateways.state.get().objects,
    tlsSecrets: reflectors.tlsSecrets.state.get().objects,
    referenceGrants: reflectors.referenceGrants.state.get().objects,
  };
}
