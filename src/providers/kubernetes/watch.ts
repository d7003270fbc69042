/** All kinds of a cluster that we read, together: one immutable view after the other. */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { sameFields } from "../../lib/memoize.ts";
import { clusterKinds } from "../../model/declared-kinds.ts";
import type { KubeClient } from "./client.ts";
import type { ClusterView, DeclarationKind, KubeWritten, Objects } from "./objects.ts";
import { readBackendTlsPolicy, readRoots } from "./read-backend-tls.ts";
import { contentReader, declarationReader, readAutoscaler, runnerReader, writtenReader } from "./read-declarations.ts";
import { readGateway, readGatewayClass, readListenerSet, readTlsSecret } from "./read-gateways.ts";
import { readJob } from "./read-jobs.ts";
import { readEndpointSlice, readNamespace, readNode, readPod, readService } from "./read-objects.ts";
import { readGrpcRoute, readHttpRoute, readReferenceGrant, readTcpRoute, readTlsRoute } from "./read-routes.ts";
import { type Reflected, Reflector } from "./reflector.ts";
import { declaredSelection } from "./translate-declared.ts";
import { jobLabel, managedSelector, type WrittenKind, writtenKinds } from "./workload-objects.ts";

export interface ClusterWatchOptions {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1: spreads the retries of many. */
  readonly random: () => number;
  /** After a view the next one takes at least so long; what happens meanwhile is in it. Default 50 ms. */
  readonly restMs?: number;
}

/** What of a view is objects. */
type Parts = Omit<ClusterView, "connected" | "reason">;
type ObjectsOf<Part> = Part extends Objects<infer T> ? T : never;
type Reflectors = { readonly [Part in keyof Parts]: Reflector<ObjectsOf<Parts[Part]>> };

/** A reflector of any kind. */
interface AnyReflector {
  readonly state: Readable<Reflected<unknown>>;
  start(signal: AbortSignal): Promise<void>;
}

const core = (resource: string) => ({ group: "", version: "v1", resource });
/** Not every cluster has Gateway API, or the kinds of `weir.dev`. */
const gateway = (version: string, resource: string) => ({ kind: { group: "gateway.networking.k8s.io", version, resource }, mayBeMissing: true }) as const;
const declared = <K extends DeclarationKind>(kind: K) => ({ kind: clusterKinds[kind], mayBeMissing: true, read: declarationReader(kind) }) as const;
const content = (kind: "config" | "secret") =>
  ({
    kind: clusterKinds[kind],
    selection: declaredSelection(kind),
    // Who takes this right from us gets no new pods for new contents.
    mayBeMissing: true,
    read: contentReader(kind === "config" ? "ConfigMap" : "Secret"),
  }) as const;
const written = (kind: WrittenKind) => ({ kind: writtenKinds[kind], selection: { labels: managedSelector } }) as const;

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #reflectors: Reflectors;
  readonly #view = new Cell<ClusterView | undefined>(undefined);

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
      listenerSets: new Reflector({ ...options, ...gateway("v1", "listenersets"), read: readListenerSet }),
      // The only Secrets whose contents are kept; whoever takes that right away has no HTTPS at gateways.
      tlsSecrets: new Reflector({
        ...options,
        kind: core("secrets"),
        selection: { fields: "type=kubernetes.io/tls" },
        mayBeMissing: true,
        read: readTlsSecret,
      }),
      backendTlsPolicies: new Reflector({ ...options, ...gateway("v1", "backendtlspolicies"), read: readBackendTlsPolicy }),
      // Of all ConfigMaps only `ca.crt` stays; whoever takes that right away has neither TLS to backends nor client certificates at gateways.
      roots: new Reflector({ ...options, kind: core("configmaps"), mayBeMissing: true, read: readRoots }),
      referenceGrants: new Reflector({ ...options, ...gateway("v1beta1", "referencegrants"), read: readReferenceGrant }),
      apps: new Reflector({ ...options, ...declared("app") }),
      versions: new Reflector({ ...options, ...declared("service") }),
      declaredJobs: new Reflector({ ...options, ...declared("job") }),
      routers: new Reflector({ ...options, ...declared("router") }),
      externals: new Reflector({ ...options, ...declared("external") }),
      configs: new Reflector({ ...options, ...content("config") }),
      secrets: new Reflector({ ...options, ...content("secret") }),
      deployments: new Reflector({ ...options, ...written("Deployment"), read: runnerReader("Deployment") }),
      statefulSets: new Reflector({ ...options, ...written("StatefulSet"), read: runnerReader("StatefulSet") }),
      daemonSets: new Reflector({ ...options, ...written("DaemonSet"), read: runnerReader("DaemonSet") }),
      autoscalers: new Reflector({ ...options, ...written("HorizontalPodAutoscaler"), read: readAutoscaler }),
      jobs: new Reflector({ ...options, kind: writtenKinds.Job, selection: { labels: jobLabel }, read: readJob }),
      cronJobs: new Reflector<KubeWritten>({ ...options, ...written("CronJob"), read: writtenReader("CronJob") }),
      ownServices: new Reflector<KubeWritten>({ ...options, ...written("Service"), read: writtenReader("Service") }),
      ownAccounts: new Reflector<KubeWritten>({ ...options, ...written("ServiceAccount"), read: writtenReader("ServiceAccount") }),
      ownBudgets: new Reflector<KubeWritten>({ ...options, ...written("PodDisruptionBudget"), read: writtenReader("PodDisruptionBudget") }),
      // Who takes this right from us has them applied again now and then.
      ownConfigMaps: new Reflector<KubeWritten>({ ...options, ...written("ConfigMap"), mayBeMissing: true, read: writtenReader("ConfigMap") }),
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

  /** Works until `signal` aborts. The first change makes a view at once, those after it at most one per rest. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, log, restMs = 50 } = this.#options;
    const all = Object.values<AnyReflector>({ ...this.#reflectors });
    const step = async (): Promise<void> => {
      if (this.#view.update((before) => this.#look(before))) await clock.sleep(restMs, signal);
    };
    await Promise.all([...all.map((reflector) => reflector.start(signal)), runLoop({ sources: all.map(({ state }) => state), clock, log, step }, signal)]);
  }

  /** The view of now; `before` when nothing changed. */
  #look(before: ClusterView | undefined): ClusterView | undefined {
    const all = Object.entries<AnyReflector>({ ...this.#reflectors });
    if (!all.every(([, reflector]) => reflector.state.get().synced)) return undefined;
    const reason = this.trouble;
    const parts = Object.fromEntries(all.map(([part, reflector]) => [part, reflector.state.get().objects])) as unknown as Parts;
    const view: ClusterView = { ...parts, connected: reason === undefined, ...(reason === undefined ? {} : { reason }) };
    return before !== undefined && sameFields(before, view) ? before : view;
  }
}
