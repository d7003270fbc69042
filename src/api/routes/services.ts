import { ok, type Problem, type Result } from "../../lib/problem.ts";
import { adoptedName } from "../../model/adopted.ts";
import type { Declared, Put, Write } from "../../model/declared.ts";
import { usualCpuPercent } from "../../model/file/running.ts";
import { type AppName, appKey, type Namespace, type VersionKey, type VersionName, versionKey } from "../../model/names.ts";
import { parsePortArg } from "../../model/ref.ts";
import type { Port, Service } from "../../model/types.ts";
import { changeWeights } from "../../release/app-weights.ts";
import { checkNames } from "../../release/names.ts";
import { appIn, settle } from "../../release/settle.ts";
import { stageVersion } from "../../release/stage.ts";
import type { ApiContext, Observed } from "../context.ts";
import type { RestartRequest, RunRequest, ScaleRequest, ServiceView, StageRequest } from "../contract.ts";
import { findTargets, versionKeys } from "../refs.ts";
import { need, refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { restartRequest, runRequest, scaleRequest, servicesQuery, stageRequest } from "../schemas.ts";
import { serviceDefaults } from "../service-defaults.ts";
import { serviceView, serviceViews } from "../views.ts";
import { areSettled, isHopeless, observe } from "../waiting.ts";

const settleTimeoutMs = 300_000;
/** Between two states of a watch: storms are one. */
const watchPauseMs = 50;

/** Waits until these versions are as declared, one of them crashes again and again, or it takes too long; answers how they are then. */
async function settledViews(
  context: ApiContext,
  keys: readonly VersionKey[],
  options: { readonly version: number; readonly wait: boolean; readonly signal: AbortSignal },
): Promise<readonly ServiceView[]> {
  const { version, wait, signal } = options;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(wait ? settleTimeoutMs : 10_000)]);
  const isOver = (now: Observed): boolean => areSettled(now, version, keys) || (now.declared.version >= version && keys.some((key) => isHopeless(now, key)));
  const observed = (await observe(context, deadline, (now) => (wait ? isOver(now) : now.declared.version >= version))) ?? context.observed.get();
  if (observed === undefined)
    throw refuse("platform-starting", "the node agent has not answered yet; what you asked for is declared and will be done", { status: 503 });
  return keys.flatMap((key) => {
    const object = observed.declared.objects.service.get(key);
    return object === undefined ? [] : [serviceView(observed, object, context.clock.now())];
  });
}

async function one(
  context: ApiContext,
  key: VersionKey,
  options: { readonly version: number; readonly wait: boolean; readonly signal: AbortSignal },
): Promise<ServiceView> {
  const [view] = await settledViews(context, [key], options);
  if (view === undefined) throw refuse("not-found", `${key} was removed meanwhile`, { status: 409 });
  return view;
}

function parsePorts(texts: readonly string[]): Result<readonly Port[]> {
  const results = texts.map(parsePortArg);
  const problems: Problem[] = results.flatMap((result) => (result.ok ? [] : result.problems));
  const ports = results.flatMap((result) => (result.ok ? [result.value] : []));
  const twice = ports.find((port, i) => ports.findIndex((other) => other.port === port.port) !== i);
  if (twice !== undefined) problems.push({ code: "port-duplicate", message: `port ${twice.port} is there twice` });
  return problems.length > 0 ? { ok: false, problems } : ok(ports);
}

function serviceOf({ platform }: ApiContext, request: RunRequest): Service {
  const ports = need(parsePorts(request.ports));
  const env = Object.fromEntries(Object.entries(request.env).map(([name, value]) => [name, { kind: "literal" as const, value }]));
  return {
    ...serviceDefaults,
    namespace: request.namespace as Namespace,
    app: request.app as AppName,
    version: request.version as VersionName,
    command: request.command,
    ...(request.image === undefined ? {} : { image: request.image }),
    dir: platform.runs === "images" ? "/" : request.dir,
    env,
    ports,
    public: request.public ?? ports.some((port) => port.protocol === "http" || port.protocol === "http2"),
    scale: request.scale,
    egress: request.egress,
  };
}

function checkStart({ platform }: ApiContext, { command, image }: Service): void {
  if (platform.runs === "commands" && command.length === 0) throw refuse("command-missing", "there is no command to run", { hint: "write it after --" });
  if (platform.runs === "images" && image === undefined) throw refuse("image-missing", "there is no image to run", { hint: "add --image IMAGE" });
}

async function run(context: ApiContext, request: RunRequest, signal: AbortSignal): Promise<ServiceView> {
  const service = serviceOf(context, request);
  checkStart(context, service);
  const { namespace, app, version } = service;
  need((await context.platform.makeNamespaces?.([namespace])) ?? ok(undefined));
  const key = versionKey(namespace, app, version);
  const snapshot = context.store.snapshot.get();
  if (snapshot.objects.service.has(key))
    throw refuse("version-exists", `${app}@${version} exists already`, { hint: `\`weir rm ${app}@${version}\` removes it; or choose another version` });
  need(checkNames(snapshot, service));
  const now = context.clock.now();
  const put: Write = { op: "put", kind: "service", key, value: { service, origin: "command", restarts: 0 }, expected: 0 };
  const change = request.weight === undefined ? `run ${version}` : `run ${version} with ${request.weight}%`;
  const settled = settle(snapshot, [put], { now, change });
  const writes =
    request.weight === undefined
      ? settled
      : weighted(context, settled, { key: appKey(namespace, app), version, weight: Math.round(request.weight * 100), change });
  const accepted = need(await context.store.commit(writes));
  return one(context, key, { version: accepted.version, wait: request.wait, signal });
}

/** The batch with the first weight of a version in it. */
function weighted(
  context: ApiContext,
  writes: readonly Write[],
  wish: { readonly key: ReturnType<typeof appKey>; readonly version: VersionName; readonly weight: number; readonly change: string },
): readonly Write[] {
  const snapshot = context.store.snapshot.get();
  const app = appIn(snapshot, writes, wish.key);
  if (app === undefined) return writes;
  const start = { ...app, history: snapshot.objects.app.get(wish.key)?.value.history ?? [] };
  const value = need(changeWeights(start, new Map([[wish.version, wish.weight]]), { now: context.clock.now(), durationMs: 0, change: wish.change }));
  if (value === start) return writes;
  return [...writes.filter((write) => write.kind !== "app" || write.key !== wish.key), { op: "put", kind: "app", key: wish.key, value }];
}

async function stage(context: ApiContext, request: StageRequest, signal: AbortSignal): Promise<ServiceView> {
  const snapshot = context.store.snapshot.get();
  const { namespace, app, version, from, ...rest } = request;
  const put = need(
    stageVersion(snapshot, {
      ...rest,
      namespace: namespace as Namespace,
      app: app as AppName,
      version: version as VersionName,
      ...(from === undefined ? {} : { from: from as VersionName }),
    }),
  );
  if (put.kind === "service") {
    checkStart(context, put.value.service);
    need(checkNames(snapshot, put.value.service));
  }
  const accepted = need(await context.store.commit(settle(snapshot, [put], { now: context.clock.now(), change: `stage ${version}` })));
  return one(context, put.key as VersionKey, { version: accepted.version, wait: request.wait, signal });
}

/** What somebody else's Deployment does is not ours to change. `words`: what kubectl calls it. */
function checkOurs({ value: { service } }: Declared<"service">, words: "scale" | "rollout restart"): void {
  const { namespace, app, version, adopted } = service;
  if (adopted === undefined) return;
  const { kind, name } = adoptedName(adopted);
  const hasNoNumber = kind === "DaemonSet" && words === "scale";
  const hint = hasNoNumber ? "it has a pod on every node that it selects" : `kubectl ${words} -n ${namespace} ${kind.toLowerCase()} ${name}`;
  throw refuse("adopted", `${app}@${version} is the ${kind} ${name}, which Weir does not change`, { hint, status: 422 });
}

/** The service with another number of replicas. Refuses what has no such number, and a range that could follow nothing. */
function scaled({ value: { service } }: Declared<"service">, { scale, max }: ScaleRequest["targets"][number]): Service {
  const { app, version, autoscale, perNode, resources } = service;
  const { autoscale: _autoscale, ...fixed } = service;
  if (perNode === true)
    throw refuse("scale-per-node", `${app}@${version} is one on every node, not a number`, {
      hint: "say `scale: 2` in its file to have a number",
      status: 422,
    });
  if (max === undefined) return { ...fixed, scale };
  if (scale < 1 || max < scale)
    throw refuse("scale-range", `${scale}-${max} is no range of replicas`, { hint: "from 1 on, the smaller number first: hello=2-5" });
  if (resources?.cpu === undefined)
    throw refuse("autoscale-needs-cpu", `${app}@${version} does not say what each replica should have of the processor, and its use is measured by that`, {
      hint: "add resources: {cpu: 250m} in its file",
      status: 422,
    });
  return { ...fixed, scale, autoscale: { max, cpu: autoscale?.cpu ?? usualCpuPercent } };
}

async function scale(context: ApiContext, { namespace, targets, wait }: ScaleRequest, signal: AbortSignal): Promise<readonly ServiceView[]> {
  const snapshot = context.store.snapshot.get();
  const puts = targets.flatMap((target) =>
    findTargets(snapshot, namespace, target).map((object): Put => {
      checkOurs(object, "scale");
      const { key, stack, value } = object;
      const changed = { ...value, service: scaled(object, target) };
      return { op: "put", kind: "service", key, ...(stack === undefined ? {} : { stack }), value: changed };
    }),
  );
  const accepted = need(await context.store.commit(puts));
  return settledViews(context, [...new Set(puts.map((put) => put.key as VersionKey))], { version: accepted.version, wait, signal });
}

async function restart(context: ApiContext, { namespace, targets, wait }: RestartRequest, signal: AbortSignal): Promise<readonly ServiceView[]> {
  const snapshot = context.store.snapshot.get();
  const objects = [...new Set(targets.flatMap((target) => findTargets(snapshot, namespace, target)))];
  for (const object of objects) checkOurs(object, "rollout restart");
  const puts = objects.map(
    ({ key, stack, value }): Put => ({
      op: "put",
      kind: "service",
      key,
      ...(stack === undefined ? {} : { stack }),
      value: { ...value, restarts: value.restarts + 1 },
    }),
  );
  const accepted = need(await context.store.commit(puts));
  return settledViews(context, versionKeys(objects), { version: accepted.version, wait, signal });
}

async function* watchServices(context: ApiContext, namespace: string, signal: AbortSignal): AsyncGenerator<readonly ServiceView[], void, void> {
  let last = "";
  for await (const observed of context.observed.watch(signal)) {
    if (observed === undefined) continue;
    const views = serviceViews(observed, namespace, context.clock.now());
    const text = JSON.stringify(views);
    if (text === last) continue;
    last = text;
    yield views;
    await context.clock.sleep(watchPauseMs, signal);
  }
}

async function listServices(context: ApiContext, namespace: string, signal: AbortSignal): Promise<readonly ServiceView[]> {
  const { version } = context.store.snapshot.get();
  const observed =
    (await observe(context, AbortSignal.any([signal, AbortSignal.timeout(10_000)]), (now) => now.declared.version >= version)) ?? context.observed.get();
  if (observed === undefined)
    throw refuse("platform-starting", "the node agent has not answered yet", {
      hint: "`weir system status` says more; `weir check` looks at the machine",
      status: 503,
    });
  return serviceViews(observed, namespace, context.clock.now());
}

export const serviceRoutes = [
  route("GET /v1/services", {
    summary: "Every version of every app, once or as a stream of states",
    query: servicesQuery,
    handle: (context, { query, signal }) => (query.watch ? watchServices(context, query.namespace, signal) : listServices(context, query.namespace, signal)),
  }),
  route("POST /v1/run", { summary: "Declares a service without a file", body: runRequest, handle: (context, { body, signal }) => run(context, body, signal) }),
  route("POST /v1/stage", {
    summary: "Declares a copy of a version with changes, at 0 %",
    body: stageRequest,
    handle: (context, { body, signal }) => stage(context, body, signal),
  }),
  route("POST /v1/scale", {
    summary: "Changes how many replicas run",
    body: scaleRequest,
    handle: (context, { body, signal }) => scale(context, body, signal),
  }),
  route("POST /v1/restart", {
    summary: "Replaces every replica, new before old",
    body: restartRequest,
    handle: (context, { body, signal }) => restart(context, body, signal),
  }),
];
