/** Waiting until what was accepted is true. */
import type { VersionKey } from "../model/names.ts";
import { crashLooping, progressOf } from "../release/progress.ts";
import { isMoving } from "../release/rollout.ts";
import type { ApiContext, Observed, Refused } from "./context.ts";
import { refuse } from "./refusal.ts";

/** A proxy that is not there does not acknowledge; a client should not wait for it for ever. */
export const envoyTimeoutMs = 30_000;

/** The first moment at which `holds` does; undefined when `signal` aborts first. */
export async function observe(context: ApiContext, signal: AbortSignal, holds: (observed: Observed) => boolean): Promise<Observed | undefined> {
  for await (const observed of context.observed.watch(signal)) if (observed !== undefined && holds(observed)) return observed;
  return undefined;
}

/** Resolves when all that was declared up to `version` is in Envoy and, with `app`, its weights stand still. Refuses with 503 after `timeoutMs`, with 422 when Envoy refused something after `since`. */
export async function untilInEnvoy(
  context: ApiContext,
  wish: { readonly version: number; readonly app?: string; readonly timeoutMs: number; readonly since: number },
  signal: AbortSignal,
): Promise<Observed> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(wish.timeoutMs)]);
  const observed = await observe(context, deadline, (now) => {
    if (now.declared.version < wish.version || !isInEnvoy(now, wish.app === undefined ? [] : [`app ${wish.app}`])) return false;
    const app = wish.app === undefined ? undefined : now.declared.objects.app.get(wish.app)?.value;
    return app === undefined || (!isMoving(app, context.clock.now()) && holdsTarget(now, wish.app ?? ""));
  });
  const refused = observed?.refusals.find((refusal) => refusal.at >= wish.since);
  if (refused !== undefined)
    throw refuse("envoy-refused", describeRefusal(refused), { hint: `what was in force before still is; ${context.platform.seeProxies}`, status: 422 });
  if (observed !== undefined) return observed;
  throw refuse("envoy-pending", "Envoy has not acknowledged the change yet; it is declared and will be applied", {
    hint: context.platform.seeProxies,
    status: 503,
  });
}

/** One line of a refusal. */
export function describeRefusal({ proxy, name, message }: Refused): string {
  return `the ${proxy} Envoy refused ${name}: ${message}`;
}

function holdsTarget(observed: Observed, key: string): boolean {
  const target = observed.declared.objects.app.get(key)?.value.weights ?? {};
  const weights = new Map<string, number>([...observed.world.apps].find(([app]) => app === key)?.[1].weights);
  return Object.entries(target).every(([version, weight]) => weights.get(version) === weight);
}

/** Whether the newest configuration is in Envoy or, where that is known of each object, these (`KIND KEY`) are. */
export function isInEnvoy(observed: Observed, objects: readonly string[]): boolean {
  return observed.ackedRevision >= observed.world.revision && objects.every((object) => observed.late?.has(object) !== true);
}

/** `app NAMESPACE/APP` of versions. */
export function appsOf(keys: readonly VersionKey[]): readonly string[] {
  return [...new Set(keys.map((key) => `app ${key.slice(0, key.lastIndexOf("@"))}`))];
}

/** Whether every one of `keys` is as declared: all replicas ready and in Envoy, no other one in use; and `others` (`KIND KEY`) are in Envoy. */
export function areSettled(observed: Observed, version: number, keys: readonly VersionKey[], others: readonly string[] = []): boolean {
  if (observed.declared.version < version || !isInEnvoy(observed, [...appsOf(keys), ...others])) return false;
  return keys.every((key) => progressOf(observed.replicas, key).settled);
}

/** Whether waiting longer for a version helps nobody. */
export function isHopeless(observed: Observed, key: VersionKey): boolean {
  return hindranceOf(observed, key) !== undefined || crashLooping(progressOf(observed.replicas, key).current) !== undefined;
}

/** Why a version, or the app that it is of, cannot become as declared; undefined: nothing but its replicas may hinder it. */
export function hindranceOf({ hindrances }: Observed, key: VersionKey): string | undefined {
  const [app = ""] = appsOf([key]);
  return hindrances?.get(`service ${key}`) ?? hindrances?.get(app);
}

/** Whether nothing of these versions is left, not even on its way out. */
export function areGone(observed: Observed, version: number, keys: ReadonlySet<VersionKey>): boolean {
  if (observed.declared.version < version || !observed.platform.upToDate) return false;
  const replicas = [...observed.replicas.replicas.values()].some((replica) => keys.has(replica.key));
  const workloads = [...observed.replicas.workloads.values()].some((workload) => keys.has(workload.key));
  return !replicas && !workloads;
}
