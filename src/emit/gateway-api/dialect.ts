/** What differs between the speakers of Gateway API: the standard itself, and Linkerd, which reads a part of it and adds annotations. */
import type { Route } from "../../compile/mesh-plan.ts";
import type { KubeFields, Membership } from "../kubernetes/object.ts";
import type { Mesh } from "../kubernetes/refusal.ts";
import type { AppProtocols } from "../kubernetes/service.ts";

/** Kinds of route that carry requests. */
export type RequestRouteKind = "HTTPRoute" | "GRPCRoute";

/** Why a mesh cannot say something: completes "MESH …", and what to do instead. */
export interface Objection {
  readonly because: string;
  readonly hint: string;
}

/** Timeouts and retries of one route: a part stands in the rule, a part in annotations of the whole object. */
export interface Limits {
  readonly rule: KubeFields;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Dialect {
  readonly mesh: Mesh;
  readonly appProtocols: AppProtocols;
  readonly urlRewrite: boolean;
  readonly redirectPath: boolean;
  readonly redirectCodes: readonly number[];
  readonly tcpRouteVersion: "v1" | "v1alpha2";
  /** Whether routes to another namespace's Service need its permission. */
  readonly referenceGrants: boolean;
  readonly membership: Membership;
  /** The kind of route for a gRPC port whose one route matches everything. */
  readonly grpcKind: (route: Route) => RequestRouteKind;
  /** Says what stands against the route's timeout and retries in a route of that kind. */
  readonly limitObjections: (route: Route, kind: RequestRouteKind) => readonly Objection[];
  /** Writes the route's timeout and retries; only called when nothing stands against them. */
  readonly limits: (route: Route, kind: RequestRouteKind) => Limits;
}

const units = [
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
  [1, "ms"],
] as const;

/**
 * Writes milliseconds in one unit, the largest that fits: `90s`, `250ms`. Gateway API takes at most five digits
 * (GEP-2257), and Linkerd reads one unit only: undefined where that is too little.
 */
export function singleUnitDuration(ms: number): string | undefined {
  const found = units.find(([size]) => ms % size === 0 && ms / size <= 99_999);
  if (ms === 0) return "0s";
  return found === undefined ? undefined : `${ms / found[0]}${found[1]}`;
}

/** Writes milliseconds as Gateway API wants them (GEP-2257): one unit where possible, else several: `27h46m40s1ms`. */
export function gatewayDuration(ms: number): string {
  const single = singleUnitDuration(ms);
  if (single !== undefined) return single;
  let rest = ms;
  let text = "";
  for (const [size, unit] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
