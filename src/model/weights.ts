/**
 * The shares of an app's versions, in basis points (10 000 is 100 %). They are whole numbers and always sum to exactly 10 000.
 * No function depends on the order of its maps.
 */
import { didYouMean } from "../lib/did-you-mean.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import type { VersionName } from "./names.ts";
import { quote } from "./quote.ts";

/** 100 %. */
export const fullWeight = 10_000;

/** What every version of one app gets, basis points. */
export type Weights = ReadonlyMap<VersionName, number>;

/**
 * Splits `total` among the keys of `shares` in proportion to their values, in whole numbers that sum to exactly `total`
 * (largest remainder; a tie goes to the name that sorts first). All shares zero: evenly. No keys: an empty map.
 * `total` and the shares are whole and not negative.
 */
export function splitInProportion<K extends string>(total: number, shares: ReadonlyMap<K, number>): ReadonlyMap<K, number> {
  const sum = [...shares.values()].reduce((a, b) => a + b, 0);
  const [whole, part] = sum === 0 ? [shares.size, () => 1] : [sum, (share: number) => share];
  const parts = [...shares].map(([key, share]) => {
    const rest = (total * part(share)) % whole;
    return { key, whole: (total * part(share) - rest) / whole, rest };
  });
  const missing = total - parts.reduce((a, part) => a + part.whole, 0);
  const byRest = parts.toSorted((a, b) => b.rest - a.rest || (a.key < b.key ? -1 : 1));
  const rounded = new Set(byRest.slice(0, missing).map((part) => part.key));
  return new Map(parts.map(({ key, whole }) => [key, rounded.has(key) ? whole + 1 : whole]));
}

/**
 * Gives the versions in `wanted` exactly what it says; the others keep their proportions in what is left
 * (evenly, when none of them had anything). All or nothing: a failure changes nothing.
 * Problems: `version-unknown`, `weight-invalid`, `weights-sum`.
 */
export function setWeights(current: Weights, wanted: Weights): Result<Weights> {
  const problems = [...wanted].flatMap(([version, weight]) => checkWanted(current, version, weight));
  if (problems.length > 0) return { ok: false, problems };
  const taken = [...wanted.values()].reduce((a, b) => a + b, 0);
  const others = new Map([...current].filter(([version]) => !wanted.has(version)));
  if (taken > fullWeight || (others.size === 0 && taken !== fullWeight)) return failed(sumProblem(taken, others.size === 0));
  const rest = splitInProportion(fullWeight - taken, others);
  return ok(new Map([...current.keys()].map((version) => [version, wanted.get(version) ?? rest.get(version) ?? 0])));
}

function checkWanted(current: Weights, version: VersionName, weight: number): readonly Problem[] {
  if (!current.has(version)) {
    return [problem("version-unknown", `there is no version ${quote(version)}`, didYouMean(version, current.keys()))];
  }
  if (!Number.isInteger(weight) || weight < 0 || weight > fullWeight) {
    return [problem("weight-invalid", `${formatPercent(weight)} for ${version} is not a weight`, percentHint)];
  }
  return [];
}

function sumProblem(sum: number, isAll: boolean): Problem {
  const hint = isAll ? "all versions are named, so their weights must sum to exactly 100%" : "together they can have at most 100%";
  return { code: "weights-sum", message: `the weights sum to ${formatPercent(sum)}`, hint };
}

function problem(code: string, message: string, hint: string | undefined): Problem {
  return hint === undefined ? { code, message } : { code, message, hint };
}

/** Adds a version: at 0 beside others, at 100 % alone. A version that is there keeps its weight. */
export function addVersion(current: Weights, version: VersionName): Weights {
  if (current.has(version)) return current;
  return new Map([...current, [version, current.size === 0 ? fullWeight : 0]]);
}

/** Takes a version away; its share goes to the others in proportion (evenly, when none had anything). */
export function removeVersion(current: Weights, version: VersionName): Weights {
  if (!current.has(version)) return current;
  const others = new Map([...current].filter(([name]) => name !== version));
  return splitInProportion(fullWeight, others);
}

/** What a percentage must look like, for hints. */
export const percentHint = "a percentage from 0 to 100 with at most two decimals: 10, 12.5 or 10%";

/** Reads `10`, `12.5` or `10%` as basis points; undefined when it is no percentage from 0 to 100 with at most two decimals. */
export function parsePercent(text: string): number | undefined {
  const parts = /^(\d{1,3})(?:\.(\d{1,2}))?%?$/.exec(text);
  if (parts === null) return undefined;
  const weight = Number(parts[1]) * 100 + Number((parts[2] ?? "").padEnd(2, "0"));
  return weight <= fullWeight ? weight : undefined;
}

/** Writes basis points as a percentage: 1250 is `12.5%`. */
export function formatPercent(weight: number): string {
  return `${Number((weight / 100).toFixed(2))}%`;
}
