/** Carries out an installation's steps, one after the other. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { installKind } from "../kinds.ts";
import { type InstallObject, nameOf } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";
import type { InstallStep } from "./plan.ts";

/** Where an object is. */
export function placeOf(object: InstallObject): ObjectPlace {
  const { name, namespace } = object.metadata;
  return { kind: installKind(object), name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Applies all steps that change something; `done` hears of each. Stops at the first that fails: what was done stays, and the next run goes on there. */
export async function applySteps(client: KubeClient, steps: readonly InstallStep[], done: (step: InstallStep) => void): Promise<Result<void>> {
  for (const step of steps) {
    const { action } = step.change;
    if (action === "keep") continue;
    const result = await carryOut(client, step);
    const isThere = action === "delete" ? !result.ok && result.error.kind === "notFound" : step.once && !result.ok && result.error.kind === "exists";
    if (!result.ok && !isThere) return failed(problemOfApi(result.error, `${doing[action]} ${nameOf(step.object)}`));
    done(step);
  }
  return ok(undefined);
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
