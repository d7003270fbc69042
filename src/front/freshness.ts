/**
 * Which versions' statuses are about contents of before. A status says which generation of its Version it is about; that a config or secret changed, which
 * also makes new pods, it can only show by another hash. So from such a change on, the hash of before counts for nothing.
 */
import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import type { Job, Service } from "../model/types.ts";
import { usedData } from "../release/template.ts";
import type { SeenStatuses } from "../store/kubernetes/assemble.ts";

/** Longer than a control plane needs to see a change; then its word counts, whatever it is. */
export const staleMs = 5_000;

interface Known {
  readonly parts: readonly Declared[];
  /** The hash of before and when it became one; absent: nothing is awaited. */
  readonly awaited?: { readonly not: string | undefined; readonly since: number };
}

/** Remembers what it was shown: one for each sequence of snapshots. */
export class Freshness {
  readonly #known = new Map<string, Known>();

  /** Keys of versions and jobs whose status is about what was; `now` in milliseconds since the epoch. */
  stale(declared: DeclaredSnapshot, statuses: Pick<SeenStatuses, "service" | "job">, now: number): ReadonlySet<string> {
    const stale = new Set<string>();
    const made = [
      ...[...declared.objects.service.values()].map(({ key, value }) => ({ key, of: value.service, hash: statuses.service.get(key)?.hash })),
      ...[...declared.objects.job.values()].map(({ key, value }) => ({ key, of: value.job, hash: statuses.job.get(key)?.hash })),
    ];
    for (const { key, of, hash } of made) {
      const next = step(this.#known.get(key), partsOf(declared, of), hash, now);
      this.#known.set(key, next);
      if (next.awaited !== undefined) stale.add(key);
    }
    return stale;
  }
}

function partsOf(declared: DeclaredSnapshot, made: Service | Job): readonly Declared[] {
  return [...usedData(declared, made, "config"), ...usedData(declared, made, "secret")];
}

function step(before: Known | undefined, parts: readonly Declared[], hash: string | undefined, now: number): Known {
  if (before === undefined) return { parts };
  const isSame = parts.length === before.parts.length && parts.every((part, at) => part === before.parts[at]);
  if (!isSame) return { parts, awaited: { not: hash, since: now } };
  const { awaited } = before;
  if (awaited === undefined || (awaited.not === hash && now - awaited.since < staleMs)) return before;
  return { parts };
}
