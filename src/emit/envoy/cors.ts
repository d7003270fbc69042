/** Cross-origin requests, answered by Envoy's own filter. */
import { CorsPolicySchema, CorsSchema } from "../../../gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import type { Cors } from "../../model/gateway.ts";
import { any } from "./resource.ts";

const name = "envoy.filters.http.cors";

/** The filter, which does nothing on routes without a policy. */
export const corsFilter = { name, configType: { case: "typedConfig" as const, value: any(CorsSchema, {}) } };

/** A route's policy. Where all methods or headers may be, Envoy answers with those that were asked for. Who may not gets no leave, and no further. */
export function corsOptions({ origins, methods, headers, exposed, credentials, maxAgeSeconds }: Cors) {
  const policy = any(CorsPolicySchema, {
    allowOriginStringMatch: origins.map(originMatch),
    allowMethods: listed(methods),
    allowHeaders: listed(headers),
    exposeHeaders: listed(exposed),
    allowCredentials: credentials,
    maxAge: String(maxAgeSeconds),
    forwardNotMatchingPreflights: false,
  });
  return { [name]: policy };
}

function listed(words: readonly string[]): string {
  return words.includes("*") ? "*" : words.join(", ");
}

/** Envoy takes an exact `*` for every origin; inside a name it stands for any number of labels. */
function originMatch(origin: string) {
  if (origin === "*" || !origin.includes("*")) return { matchPattern: { case: "exact" as const, value: origin } };
  const regex = origin.replace(/[\\^$.+?()[\]{}|]/g, "\\$&").replaceAll("*", "[^/]+");
  return { matchPattern: { case: "safeRegex" as const, value: { regex } } };
}
