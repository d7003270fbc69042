/** The movement of weights over time. Nothing is written while it goes on: what holds at a moment follows from the record and the clock. */
import { type DeclaredApp, type Rollout, type Shares, sharesToMap } from "../model/declared.ts";
import type { VersionName } from "../model/names.ts";
import { fullWeight, splitInProportion, type Weights } from "../model/weights.ts";

/** Steps are not shorter than this: each one is a change of every route. */
const shortestStepMs = 100;
const mostSteps = 100;

function stepMs(rollout: Rollout): number {
  return Math.max(shortestStepMs, Math.ceil(rollout.durationMs / mostSteps));
}

function endOf(rollout: Rollout): number {
  return rollout.startedAt + rollout.durationMs;
}

/** The weights of `app` at `now`; between two steps they stand still, so that equal moments give equal Worlds. A clock set back does not undo the start. */
export function weightsAt(app: DeclaredApp, now: number): Weights {
  const { rollout, weights } = app;
  if (rollout === undefined || now >= endOf(rollout)) return sharesToMap(weights);
  const step = stepMs(rollout);
  const elapsed = Math.floor(Math.max(0, now - rollout.startedAt) / step) * step;
  return between(rollout.from, weights, elapsed / rollout.durationMs);
}

/** `progress` of the way (0 to 1) from one set of shares to another, as whole basis points that sum to 10 000. */
function between(from: Shares, to: Shares, progress: number): Weights {
  const done = Math.round(progress * fullWeight);
  const versions = Object.keys(to) as VersionName[];
  return splitInProportion(fullWeight, new Map(versions.map((version) => [version, (from[version] ?? 0) * (fullWeight - done) + (to[version] ?? 0) * done])));
}

/** Says whether the weights of `app` still move at `now`. */
export function isMoving(app: DeclaredApp, now: number): boolean {
  return app.rollout !== undefined && now < endOf(app.rollout);
}

/** When the weights of `app` change next by themselves (milliseconds since the epoch); undefined: never. */
export function nextTickAt(app: DeclaredApp, now: number): number | undefined {
  const { rollout } = app;
  if (rollout === undefined || !isMoving(app, now)) return undefined;
  const step = stepMs(rollout);
  const steps = Math.floor(Math.max(0, now - rollout.startedAt) / step) + 1;
  return Math.min(rollout.startedAt + steps * step, endOf(rollout));
}
