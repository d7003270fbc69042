/** Changes of an app's weights, each a new record with its line in the history. */
import { canonicalJson } from "../lib/canonical-json.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { type DeclaredApp, mapToShares, sharesOf, sharesToMap, type WeightChange } from "../model/declared.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import { formatPercent, fullWeight, setWeights, splitInProportion, type Weights } from "../model/weights.ts";
import { isMoving, weightsAt } from "./rollout.ts";

/** How many changes an app remembers. */
export const historyLimit = 50;

export interface ChangeOptions {
  readonly now: number;
  readonly durationMs: number;
  /** Its line in the history: `promote v2`. */
  readonly change: string;
}

/** An app without versions. */
export function newApp(namespace: Namespace, app: AppName): DeclaredApp {
  return { namespace, app, weights: {}, history: [] };
}

/** The record after its weights went to `target`; the identical one when they are there, and stand still, already. */
function moveTo(app: DeclaredApp, target: Weights, options: ChangeOptions): DeclaredApp {
  const weights = mapToShares(target);
  const { now, durationMs, change } = options;
  const unchanged = canonicalJson(weights) === canonicalJson(app.weights);
  if (unchanged && !isMoving(app, now)) return app;
  const from = mapToShares(weightsAt(app, now));
  const entry: WeightChange = { revision: (app.history.at(-1)?.revision ?? 0) + 1, at: now, change, weights, durationMs };
  const moves = durationMs > 0 && canonicalJson(from) !== canonicalJson(weights);
  return {
    namespace: app.namespace,
    app: app.app,
    weights,
    ...(moves ? { rollout: { from, startedAt: now, durationMs } } : {}),
    history: [...app.history, entry].slice(-historyLimit),
  };
}

/**
 * Gives the named versions exactly what `wanted` says (basis points) and moves the others in proportion, over `durationMs`.
 * A change in the middle of a rollout starts from where that is. Problems: those of `setWeights`.
 */
export function changeWeights(app: DeclaredApp, wanted: Weights, options: ChangeOptions): Result<DeclaredApp> {
  const target = setWeights(sharesToMap(app.weights), wanted);
  return target.ok ? ok(moveTo(app, target.value, options)) : target;
}

/** The history's words for several shares: `weight v1=20% v2=80%`. */
export function describeWeights(wanted: Weights): string {
  return `weight ${[...wanted].map(([version, weight]) => `${version}=${formatPercent(weight)}`).join(" ")}`;
}

/** All traffic to one version. Problem: `version-unknown`. */
export function promote(app: DeclaredApp, version: VersionName, options: Omit<ChangeOptions, "change">): Result<DeclaredApp> {
  return changeWeights(app, new Map([[version, fullWeight]]), { ...options, change: `promote ${version}` });
}

/** Brings the record to exactly these versions: new ones at 0 (a first one at 100 %), the share of a gone one to the others in proportion. A rollout goes on with those that are left. */
export function setVersions(app: DeclaredApp, versions: readonly VersionName[], options: Omit<ChangeOptions, "durationMs">): DeclaredApp {
  const target = sharesOf(app.weights, versions);
  if (canonicalJson(target) === canonicalJson(app.weights)) return app;
  const moved = moveTo(app, sharesToMap(target), { ...options, durationMs: 0 });
  if (app.rollout === undefined || !isMoving(app, options.now)) return moved;
  return { ...moved, rollout: { ...app.rollout, from: sharesOf(app.rollout.from, versions) } };
}

/**
 * Back to the weights before the last change, or to those of `revision` (as `kubectl rollout undo` does: twice returns to the start).
 * Versions that are gone leave their share to the others. Problems: `rollback-nothing`, `revision-unknown`, `rollback-impossible`.
 */
export function rollback(app: DeclaredApp, revision: number | undefined, now: number): Result<DeclaredApp> {
  const entry = revision === undefined ? previous(app) : app.history.find((known) => known.revision === revision);
  if (entry === undefined) return failed(revision === undefined ? nothingBefore(app) : unknownRevision(app, revision));
  const kept = new Map(Object.keys(app.weights).map((version) => [version as VersionName, entry.weights[version] ?? 0]));
  if ([...kept.values()].every((weight) => weight === 0)) {
    return failed({
      code: "rollback-impossible",
      message: `every version that had traffic at revision ${entry.revision} is gone`,
      hint: `declare one of them again: ${withTraffic(entry)}`,
    });
  }
  const target = splitInProportion(fullWeight, kept);
  return ok(moveTo(app, target, { now, durationMs: 0, change: `rollback to ${entry.revision}` }));
}

/** The newest entry whose weights are not those of now. */
function previous(app: DeclaredApp): WeightChange | undefined {
  const present = canonicalJson(app.weights);
  return app.history.findLast((entry) => canonicalJson(entry.weights) !== present);
}

function withTraffic(entry: WeightChange): string {
  return Object.keys(entry.weights)
    .filter((version) => entry.weights[version] !== 0)
    .join(", ");
}

function nothingBefore(app: DeclaredApp): Problem {
  return { code: "rollback-nothing", message: `the weights of ${app.app} have never been others`, hint: `\`weir history ${app.app}\` shows its changes` };
}

function unknownRevision(app: DeclaredApp, revision: number): Problem {
  const known = app.history.map((entry) => entry.revision);
  const hint = known.length === 0 ? "there are none" : `known are ${known[0]} to ${known.at(-1)}`;
  return { code: "revision-unknown", message: `${app.app} has no revision ${revision}`, hint };
}
