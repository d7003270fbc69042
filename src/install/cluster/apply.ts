/** Carries out an installation's steps, one after the other. */
import type { Clock } from "../../lib/clock.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { list, record } from "../../providers/kubernetes/readers.ts";
import { installKind } from "../kinds.ts";
import { type InstallObject, nameOf } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";
import type { InstallStep } from "./plan.ts";

/** Where an object is. */
export function placeOf(object: InstallObject): ObjectPlace {
  const { name, namespace } = object.metadata;
  return { kind: installKind(object), name, ...(namespace === undefined ? {} : { namespace }) };
}

export interface ApplyOptions {
  readonly clock: Clock;
  /** Hears of each step that is done. */
  readonly done: (step: InstallStep) => void;
}

const pollMs = 200;
const definitionTimeoutMs = 30_000;

/**
 * Applies all steps that change something, and waits for new kinds of objects until they are served. Stops at the first that fails: what was done stays,
 * and the next run goes on there.
 */
export async function applySteps(client: KubeClient, steps: readonly InstallStep[], { clock, done }: ApplyOptions): Promise<Result<void>> {
  for (const step of steps) {
    const { action } = step.change;
    if (action === "keep") continue;
    const result = await carryOut(client, step);
    const isThere = action === "delete" ? !result.ok && result.error.kind === "notFound" : step.once && !result.ok && result.error.kind === "exists";
    if (!result.ok && !isThere) return failed(problemOfApi(result.error, `${doing[action]} ${nameOf(step.object)}`));
    done(step);
    if (step.object.kind !== "CustomResourceDefinition" || action === "delete") continue;
    const served = await untilServed(client, step.object, clock);
    if (!served.ok) return served;
  }
  return ok(undefined);
}

async function untilServed(client: KubeClient, object: InstallObject, clock: Clock): Promise<Result<void>> {
  const until = clock.now() + definitionTimeoutMs;
  for (;;) {
    const live = await client.get(placeOf(object));
    if (live.ok && isServed(live.value)) return ok(undefined);
    if (clock.now() >= until) {
      const hint = `kubectl describe crd ${object.metadata.name}`;
      return failed({ code: "install-not-ready", message: `the API server does not serve ${object.metadata.name} yet`, hint });
    }
    await clock.sleep(pollMs);
  }
}

function isServed(live: unknown): boolean {
  const conditions = list(record(record(live)["status"])["conditions"]).map(record);
  return conditions.some(({ type, status }) => type === "Established" && status === "True");
}

const doing = { create: "creating", update: "changing", delete: "deleting" } as const;

function carryOut(client: KubeClient, { change, object, once }: InstallStep): Promise<ApiResult<unknown>> {
  const place = placeOf(object);
  if (change.action === "delete") return client.delete(place);
  // Not applied: what is applied later by the control plane, under the same name, would take away what it does not say.
  return once
    ? client.create({ kind: place.kind, ...(place.namespace === undefined ? {} : { namespace: place.namespace }) }, object)
    : client.apply(place, object, { force: true });
}
