/** Host names as Gateway API compares them: `web.example`, `*.example` for any number of labels in front, and `*` for all. */
import type { KubeRoute } from "./route-objects.ts";

/** The names that a route is for. */
export function domainsOf({ kind, hostnames }: Pick<KubeRoute, "kind" | "hostnames">): readonly string[] {
  return kind === "TCPRoute" || hostnames.length === 0 ? ["*"] : hostnames;
}

/** The names that both mean, as one; undefined: there are none. */
export function intersection(a: string, b: string): string | undefined {
  if (a === "*" || a === b) return b;
  if (b === "*") return a;
  const [shorter, longer] = a.length < b.length ? [a, b] : [b, a];
  if (shorter.startsWith("*.") && longer.endsWith(shorter.slice(1))) return longer;
  // `*.example` is longer than `a.example`, which it holds all the same.
  if (longer.startsWith("*.") && !shorter.startsWith("*.") && shorter.endsWith(longer.slice(1))) return shorter;
  return undefined;
}

/** Whether `wide` means every name that `narrow` means. */
export function covers(wide: string, narrow: string): boolean {
  return intersection(wide, narrow) === narrow;
}

/** For sorting: names of their own first, then the longer wildcard; `*` is last. */
export function bySpecificity(a: string, b: string): number {
  const rank = (domain: string): number => (domain === "*" ? 0 : domain.startsWith("*.") ? domain.length : 1_000 + domain.length);
  return rank(b) - rank(a);
}

/** The most special of `domains` that means all of `domain`. */
export function mostSpecific(domains: readonly string[], domain: string): string | undefined {
  return domains.filter((one) => covers(one, domain)).toSorted(bySpecificity)[0];
}
