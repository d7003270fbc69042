/**
 * Which versions' statuses are about contents of before. A status says which generation of its Version it is about; that a config or secret changed, which
 * also makes new pods, it can only show by another hash. So from such a change on, the hash of before counts for nothing.
 */
import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import type { VersionStatus } from "../providers/kubernetes/declared-status.ts";
import { usedData } from "../release/template.ts";

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

  /** Keys of versions whose status is about what was; `now` in milliseconds since the epoch. */
  stale(declared: DeclaredSnapshot, statuses: ReadonlyMap<string, VersionStatus>, now: number): ReadonlySet<string> {
    const stale = new Set<string>();
    for (const object of declared.objects.service.values()) {
      const hash = statuses.get(object.key)?.hash;
      const next = step(this.#known.get(object.key), [...usedData(declared, object, "config"), ...usedData(declared, object, "secret")], hash, now);
      this.#known.set(object.key, next);
      if (next.awaited !== undefined) stale.add(object.key);
    }
    return stale;
  }
}

function step(before: Known | undefined, parts: readonly Declared[], hash: string | undefined, now: number): Known {
  if (before === undefined) return { parts };
  const isSame = parts.length === before.parts.length && parts.every((part, at) => part === before.parts[at]);
  if (!isSame) return { parts, awaited: { not: hash, since: now } };
  const { awaited } = before;
  if (awaited === undefined || (awaited.not === hash && now - awaited.since < staleMs)) return before;
  return { parts };
}
