/** What is declared and what runs, as clients see it. */
import type { Declared, Shares } from "../model/declared.ts";
import { type AppKey, appKey, defaultNamespace, type Namespace, type VersionKey, versionKey } from "../model/names.ts";
import { formatPort } from "../model/ref.ts";
import type { Port } from "../model/types.ts";
import type { Workload } from "../model/workload.ts";
import type { GatewaySettings } from "../model/world.ts";
import { crashLooping, progressOf, type VersionProgress, whyNotReady } from "../release/progress.ts";
import { weightsAt } from "../release/rollout.ts";
import type { Observed } from "./context.ts";
import type { NamedUrl, ServiceState, ServiceView, WorkloadView } from "./contract.ts";
import { describeRefusal, hindranceOf } from "./waiting.ts";

/** `http://web.localhost:8080`; undefined where there is no gateway. */
export function gatewayUrl(gateway: Pick<GatewaySettings, "domain" | "port"> | undefined, namespace: Namespace, name: string): string | undefined {
  if (gateway === undefined) return undefined;
  const host = namespace === defaultNamespace ? name : `${name}.${namespace}`;
  return `http://${host}.${gateway.domain}${gateway.port === 80 ? "" : `:${gateway.port}`}`;
}

/** Every declared version of `namespace` (`*`: of all), sorted by namespace, app and version. */
export function serviceViews(observed: Observed, namespace: string, now: number): readonly ServiceView[] {
  return [...observed.declared.objects.service.values()]
    .filter((object) => namespace === "*" || object.value.service.namespace === namespace)
    .map((object) => serviceView(observed, object, now))
    .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.app, b.app) || compare(a.version, b.version));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One declared version at `now`. */
export function serviceView(observed: Observed, object: Declared<"service">, now: number): ServiceView {
  const { service } = object.value;
  const { namespace, app, version } = service;
  const key = versionKey(namespace, app, version);
  const progress = progressOf(observed.replicas, key);
  const [state, why] = judge(observed, progress, hindranceOf(observed, key));
  const refusal = observed.refusals.find(({ name }) => name.startsWith(`${app}@${version}.${namespace}:`) || name === `${app}.${namespace}`);
  const reason = why ?? (refusal === undefined ? observed.remarks?.get(key) : describeRefusal(refusal));
  const weights = observed.declared.objects.app.get(appKey(namespace, app))?.value;
  const workloads = [...observed.replicas.workloads.values()]
    .filter((workload) => workload.key === key && workload.phase !== "exited")
    .toSorted((a, b) => compare(a.id, b.id));
  const isPublic = service.public && service.ports.some(isHttp);
  const [url, versionUrl] = isPublic ? [app, `${app}-${version}`].map((name) => gatewayUrl(observed.world.gateway, namespace, name)) : [];
  return {
    namespace,
    app,
    version,
    ...(object.stack === undefined ? {} : { stack: object.stack }),
    state,
    ready: Math.min(progress.wanted, progress.ready + progress.oldReady),
    wanted: progress.wanted,
    weight: (weights === undefined ? undefined : weightsAt(weights, now).get(version)) ?? 0,
    targetWeight: weights?.weights[version] ?? 0,
    ...(url === undefined || versionUrl === undefined ? {} : { url, versionUrl }),
    ports: service.ports.map(formatPort),
    createdAt: object.createdAt,
    restarts: workloads.reduce((sum, workload) => sum + workload.restarts, 0),
    ...(reason === undefined ? {} : { reason }),
    workloads: workloads.map(workloadView),
  };
}

function isHttp(port: Port): boolean {
  return port.protocol !== "tcp";
}

function workloadView(workload: Workload): WorkloadView {
  const reason = whyNotReady(workload);
  const { id, phase, since, restarts, network } = workload;
  return { id, phase, since, restarts, ...(network === undefined ? {} : { address: network.address }), ...(reason === undefined ? {} : { reason }) };
}

function judge(observed: Observed, progress: VersionProgress, hindrance: string | undefined): readonly [ServiceState, string | undefined] {
  const { wanted, ready, available, oldReady, ending, current } = progress;
  if (wanted === 0) return ending > 0 ? ["draining", undefined] : ["stopped", undefined];
  if (!observed.platform.connected)
    return ["degraded", `${observed.platform.teller ?? "the node agent"} does not answer: ${observed.platform.reason ?? "no connection"}`];
  const looping = crashLooping(current);
  if (hindrance !== undefined && looping === undefined) return [ready + oldReady > 0 ? "degraded" : "failing", hindrance];
  const troubled =
    looping ??
    current.find((workload) => workload.phase === "unready" || workload.phase === "backoff") ??
    current.find((workload) => workload.phase !== "ready");
  const reason = troubled === undefined ? undefined : whyNotReady(troubled);
  if (looping !== undefined && ready === 0)
    return ["failing", oldReady > 0 ? `${reason}; ${oldReady} of before still ${oldReady === 1 ? "serves" : "serve"}` : reason];
  if (available >= wanted) return ["ready", undefined];
  if (ready >= wanted) return ["starting", "waits for Envoy"];
  const wasReady = current.some((workload) => workload.phase === "unready" || workload.phase === "backoff");
  return [wasReady && ready + oldReady > 0 ? "degraded" : "starting", reason];
}

/** Where public apps and routers of these namespaces answer. */
export function publicUrls(observed: Observed, stack: string): readonly NamedUrl[] {
  const { service, router } = observed.declared.objects;
  const { gateway } = observed.world;
  if (gateway === undefined) return [];
  const url = (namespace: Namespace, name: string): string => gatewayUrl(gateway, namespace, name) ?? "";
  const apps = new Map<string, NamedUrl>();
  for (const object of service.values()) {
    const { namespace, app, ports } = object.value.service;
    if (object.stack === stack && object.value.service.public && ports.some(isHttp)) apps.set(`${namespace}/${app}`, { name: app, url: url(namespace, app) });
  }
  const routers = [...router.values()]
    .filter((object) => object.stack === stack && object.value.public)
    .map(({ value }) => ({ name: value.name, url: url(value.namespace, value.name) }));
  return [...apps.values(), ...routers].toSorted((a, b) => compare(a.name, b.name));
}

/** The shares of an app's versions at `now`. */
export function sharesAt(observed: Observed, key: AppKey, now: number): Shares {
  const app = observed.declared.objects.app.get(key)?.value;
  return app === undefined ? {} : Object.fromEntries(weightsAt(app, now));
}

/** The keys of declared versions for which `holds`. */
export function keysOf(observed: Pick<Observed, "declared">, holds: (object: Declared<"service">) => boolean): readonly VersionKey[] {
  return [...observed.declared.objects.service.values()].filter(holds).map((object) => object.key as VersionKey);
}
