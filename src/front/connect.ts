/** The API in front of a cluster, in the process of whoever asks: with the Kubernetes API for a store, pods for a machine, and the user's own rights. */
import type { ApiContext } from "../api/context.ts";
import { allRoutes } from "../api/routes.ts";
import { createApi } from "../api/server.ts";
import { type ClusterConnection, connectCluster } from "../install/cluster/connect.ts";
import type { Readable } from "../lib/cell.ts";
import type { Log } from "../lib/log.ts";
import { failed, ok, type Result } from "../lib/problem.ts";
import type { Service } from "../model/types.ts";
import type { Selection } from "../providers/kubernetes/client.ts";
import type { KubeconfigOptions } from "../providers/kubernetes/kubeconfig.ts";
import { type Reflected, Reflector } from "../providers/kubernetes/reflector.ts";
import { adoptedPodReader, type RunningPod, readRunningPod } from "../providers/kubernetes/translate-running.ts";
import { hashLabel } from "../providers/kubernetes/workload-objects.ts";
import { type KubernetesStore, openKubernetesStore } from "../store/kubernetes/kubernetes-store.ts";
import { findAdoptable, hasOtherService } from "./adopt.ts";
import { createClusterMachine } from "./machine.ts";
import { makeNamespaces } from "./namespaces.ts";
import { watchCluster } from "./watch.ts";

export type { KubeconfigOptions } from "../providers/kubernetes/kubeconfig.ts";

export interface FrontOptions {
  readonly cluster: KubeconfigOptions;
  /** Those that the user asks about. */
  readonly namespaces: readonly string[];
  /** Every other one, too, if the user may see them. */
  readonly wide: boolean;
  /** Of this program. */
  readonly version: string;
}

export interface Front {
  /** Answers a request as the daemon of one machine does. */
  fetch(request: Request): Promise<Response>;
  /** Ends all watches and connections. */
  close(): void;
}

/** What goes wrong is in the answers; a command has no log. */
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** Until pods were listed once; then whatever is known is shown, with the reason why it may be old. */
const podsTimeoutMs = 10_000;

/**
 * Connects to the cluster and returns when everything is known of what was asked for.
 * Problems: those of kubeconfigs, `cluster-unreachable`, `cluster-unauthorized`, `cluster-forbidden`, `weir-not-installed`.
 */
export async function openFront({ cluster, namespaces, wide, version }: FrontOptions): Promise<Result<Front>> {
  const connection = await connectCluster(cluster);
  if (!connection.ok) return connection;
  const end = new AbortController();
  const close = (): void => {
    end.abort();
    connection.value.close();
  };
  const reach = await openStore(connection.value, { namespaces, wide }, end.signal);
  if (!reach.ok) {
    close();
    return failed(...reach.problems);
  }
  const context = await contextOf(connection.value, { ...reach.value, version }, end.signal);
  const api = createApi(context, allRoutes, end.signal);
  return ok({ fetch: async (request) => api.fetch(request), close });
}

interface Reach {
  readonly store: KubernetesStore;
  /** Absent: the whole cluster. */
  readonly namespaces?: readonly string[];
}

/** The whole cluster if that is wanted and allowed, else the namespaces that were asked for. */
async function openStore(
  { client, clock }: ClusterConnection,
  { namespaces, wide }: Pick<FrontOptions, "namespaces" | "wide">,
  signal: AbortSignal,
): Promise<Result<Reach>> {
  const open = (only?: readonly string[]) =>
    openKubernetesStore({ client, clock, log: silent, random: Math.random, ...(only === undefined ? {} : { namespaces: only }) }, signal);
  if (wide) {
    const all = await open();
    if (all.ok) return ok({ store: all.value });
    if (all.problems[0]?.code !== "cluster-forbidden") return all;
  }
  const some = await open(namespaces);
  return some.ok ? ok({ store: some.value, namespaces }) : some;
}

async function contextOf(
  { client, clock }: ClusterConnection,
  { store, namespaces, version }: Reach & { readonly version: string },
  signal: AbortSignal,
): Promise<ApiContext> {
  const podsWith = (read: (raw: unknown) => RunningPod | undefined, selection: Selection) =>
    new Reflector({ client, kind: { group: "", version: "v1", resource: "pods" }, read, selection, clock, log: silent, random: Math.random });
  const own = (namespaces ?? [undefined]).map((namespace) =>
    podsWith(readRunningPod, { labels: hashLabel, ...(namespace === undefined ? {} : { namespace }) }),
  );
  const reflectors = [
    ...own,
    ...adoptedVersions(store).map(({ service, labels }) => podsWith(adoptedPodReader(service), { labels, namespace: service.namespace })),
  ];
  for (const reflector of reflectors) void reflector.start(signal);
  const pods = reflectors.map(({ state }) => state);
  const listed = AbortSignal.any([signal, AbortSignal.timeout(podsTimeoutMs)]);
  await Promise.all(pods.map((state) => untilListed(state, listed)));
  const watch = watchCluster({ store: store.view, pods }, clock, signal);
  return {
    store,
    observed: watch.observed,
    machine: createClusterMachine({ client, clock, pod: watch.pod, ...(namespaces === undefined ? {} : { namespaces }) }),
    platform: {
      runs: "images",
      teller: "the cluster's API server",
      seeProxies: "`kubectl -n weir-system get pods` shows the control plane and each node's proxy",
      makeNamespaces: (names) => makeNamespaces(client, names),
      findAdoptable: (wish) => findAdoptable(client, wish),
      hasOtherService: (namespace, app) => hasOtherService(client, namespace, app),
    },
    clock,
    log: silent,
    about: { version, pid: process.pid, startedAt: clock.now(), stateDir: "", sockets: {}, gatewayUrl: "" },
    quit: () => undefined,
  };
}

/** Versions whose pods others make; those that are adopted while we run are seen by the next command. */
function adoptedVersions(store: KubernetesStore): readonly { readonly service: Service; readonly labels: string }[] {
  return [...store.snapshot.get().objects.service.values()].flatMap(({ value: { service } }) => {
    const labels = Object.entries(service.adopted?.selector ?? {}).map(([key, value]) => `${key}=${value}`);
    return labels.length === 0 ? [] : [{ service, labels: labels.join(",") }];
  });
}

async function untilListed(state: Readable<Reflected<RunningPod | undefined>>, signal: AbortSignal): Promise<void> {
  for await (const { synced, connected, reason } of state.watch(signal))
    if (synced || (!connected && reason !== undefined && reason !== "not heard of yet")) return;
}
