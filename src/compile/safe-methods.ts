/**
 * Where machines can be lost, a request may have no answer because its service's node is gone. Safe methods change nothing (RFC 9110, section 9.2.1), so they
 * are tried elsewhere, also when the service may have begun to work on them. On one machine nobody is lost without a word, and it would only cost.
 */
import { memoize } from "../lib/memoize.ts";
import type { Retries, RouteMatch } from "../model/types.ts";
import { fullWeight } from "../model/weights.ts";
import { safeRetries } from "./defaults.ts";
import type { Host, HostPort, Route } from "./mesh-plan.ts";

const safeMethods = ["GET", "HEAD", "OPTIONS", "TRACE"];

/** The usual retries, and one of a request whose connection ended before anything was answered. */
const retriesOfSafe: Retries = { ...safeRetries, on: [...safeRetries.on, "reset"] };

/** Gives hosts' safe requests more retries, where nobody said which. The same objects for the same hosts. */
export const retrySafeMethods: (hosts: readonly Host[]) => readonly Host[] = memoize((hosts) => hosts.map(hostWithRetries));

const hostWithRetries = memoize((host: Host): Host => ({ ...host, ports: host.ports.map(portWithRetries) }));

function portWithRetries(port: HostPort): HostPort {
  // All of gRPC is POST.
  return port.kind !== "http" || port.protocol === "grpc" ? port : { ...port, routes: port.routes.flatMap(splitBySafety) };
}

/** A route as it is, or two: for its safe requests first, then for all that it matches. */
export function splitBySafety(route: Route): readonly Route[] {
  if (route.action.kind !== "forward" || route.action.retries !== safeRetries || route.action.refused === fullWeight) return [route];
  const match: readonly RouteMatch[] = route.match.length === 0 ? [{ methods: [], headers: [], query: [], cookies: [] }] : route.match;
  const safe = match.flatMap((one) => {
    const methods = one.methods.length === 0 ? safeMethods : one.methods.filter((method) => safeMethods.includes(method));
    return methods.length === 0 ? [] : [{ ...one, methods }];
  });
  return safe.length === 0 ? [route] : [{ ...route, match: safe, action: { ...route.action, retries: retriesOfSafe } }, route];
}
