/**
 * MeshPlan → Gateway API objects as Linkerd 2.20 reads them: its routes hang on Services, retries and (for gRPC) timeouts
 * are annotations of a whole route. Rules of one router with different ones become several routes.
 * Linkerd has no gateway: what is public hangs on a Gateway of somebody else, in standard Gateway API.
 */

import type { MeshPlan, Route } from "../../compile/mesh-plan.ts";
import type { Result } from "../../lib/problem.ts";
import type { Retries } from "../../model/types.ts";
import type { Dialect, Limits, Objection, RequestRouteKind } from "../gateway-api/dialect.ts";
import { gatewayDuration, singleUnitDuration } from "../gateway-api/dialect.ts";
import { emitWith, standardDialect } from "../gateway-api/emit.ts";
import { publicHosts } from "../gateway-api/gateway.ts";
import { askedRetries } from "../kubernetes/backends.ts";
import type { Emission } from "../kubernetes/object.ts";

/** Conditions of Envoy that Linkerd can retry on: for HTTP statuses of answers, for gRPC codes. */
const httpConditions = new Set(["5xx", "gateway-error"]);
const grpcConditions = new Set(["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"]);

/** Linkerd ignores a route with a field newer than Gateway API 1.2.1, so only what that had. */
const oldRedirectCodes = [301, 302];

const meshDialect: Dialect = {
  mesh: "linkerd",
  appProtocols: { http: "http", http2: "kubernetes.io/h2c", grpc: "kubernetes.io/h2c", tcp: "linkerd.io/opaque" },
  urlRewrite: false,
  redirectPath: false,
  redirectCodes: oldRedirectCodes,
  tcpRouteVersion: "v1alpha2",
  referenceGrants: false,
  membership: { labels: {}, annotations: { "linkerd.io/inject": "enabled" } },
  grpcKind: () => "GRPCRoute",
  limitObjections,
  limits,
};

const gatewayDialect: Dialect = {
  ...standardDialect,
  mesh: "linkerd",
  redirectCodes: oldRedirectCodes,
  tcpRouteVersion: "v1alpha2",
  limitObjections: (route) =>
    standardDialect.limitObjections(route, "HTTPRoute").map(() => ({
      because: "has no gateway of its own, and the Gateway API of one in front of it has no retries",
      hint: "Make the router `public: false`, take `retries` away, or export for istio.",
    })),
};

/** Emits all objects of a plan for Linkerd, or every reason why it cannot be said. */
export function emitLinkerd(plan: MeshPlan): Result<Emission> {
  const emitted = emitWith(plan, { mesh: meshDialect, gateway: gatewayDialect });
  if (!emitted.ok) return emitted;
  const isPublic = publicHosts(plan).length + plan.gatewayTcp.length > 0;
  const notices = isPublic
    ? [...emitted.value.notices, "Linkerd has no gateway: Gateway `weir` needs another implementation of Gateway API, with its pods in the mesh."]
    : emitted.value.notices;
  return { ok: true, value: { ...emitted.value, notices } };
}

function limitObjections(route: Route, kind: RequestRouteKind): readonly Objection[] {
  return [...timeObjections(route), ...retryObjections(askedRetries(route), kind)];
}

function timeObjections(route: Route): readonly Objection[] {
  const times = [route.action.kind === "forward" ? route.action.timeoutMs : 0, askedRetries(route)?.perTryTimeoutMs ?? 0];
  return times.some((ms) => singleUnitDuration(ms) === undefined)
    ? [{ because: "reads times of more than 99999 ms in whole seconds only", hint: "Round the time to seconds." }]
    : [];
}

function retryObjections(retries: Retries | undefined, kind: RequestRouteKind): readonly Objection[] {
  if (retries === undefined || retries.attempts === 0) return [];
  const known = kind === "GRPCRoute" ? grpcConditions : httpConditions;
  return retries.on
    .filter((condition) => !known.has(condition))
    .map((condition) => ({
      because: `retries no ${kind === "GRPCRoute" ? "gRPC" : "HTTP"} request on \`${condition}\``,
      hint: `Use ${[...known].join(", ")}, or export for istio.`,
    }));
}

/** HTTP timeouts stand in the rule, where each rule has its own; a GRPCRoute has none, so they are annotations there. */
function limits(route: Route, kind: RequestRouteKind): Limits {
  const { action } = route;
  if (action.kind === "redirect") return { rule: {}, annotations: {} };
  const timeout = action.timeoutMs > 0 ? gatewayDuration(action.timeoutMs) : undefined;
  const annotations = retryAnnotations(askedRetries(route), kind);
  if (timeout === undefined) return { rule: {}, annotations };
  return kind === "HTTPRoute"
    ? { rule: { timeouts: { request: timeout } }, annotations }
    : { rule: {}, annotations: { ...annotations, "timeout.linkerd.io/request": timeout } };
}

function retryAnnotations(retries: Retries | undefined, kind: RequestRouteKind): Readonly<Record<string, string>> {
  if (retries === undefined || retries.attempts === 0) return {};
  return {
    [kind === "GRPCRoute" ? "retry.linkerd.io/grpc" : "retry.linkerd.io/http"]: retries.on.join(","),
    "retry.linkerd.io/limit": String(retries.attempts),
    ...(retries.perTryTimeoutMs === undefined ? {} : { "retry.linkerd.io/timeout": gatewayDuration(retries.perTryTimeoutMs) }),
  };
}
