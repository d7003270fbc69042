/** A proxy's resources as one static bootstrap, so that a stock Envoy checks or runs them without a discovery server. */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { EnvoyResource } from "../../src/emit/envoy/resource.ts";
import { messageToJson } from "../../src/xds/descriptors.ts";
import { typeUrls } from "../../src/xds/type-urls.ts";

/** Bootstrap as proto3 JSON: every discovered route configuration and load assignment stands where it is used. Throws when one is missing. */
export function staticBootstrap(resources: readonly EnvoyResource[], rest: JsonObject = {}): JsonObject {
  const byType = (type: string) =>
    new Map(resources.filter((one) => one.typeUrl === type).map((one) => [one.name, messageToJson(one.typeUrl, one.body) as JsonObject]));
  const routes = byType(typeUrls.route);
  const assignments = byType(typeUrls.endpoints);
  const listeners = [...byType(typeUrls.listener).values()].map((listener) => inlineRoutes(listener, routes));
  const clusters = [...byType(typeUrls.cluster).values()].map((cluster) => inlineEndpoints(cluster, assignments));
  return { bootstrapExtensions: [insideListeners], ...rest, staticResources: { listeners, clusters } };
}

const insideListeners = {
  name: "envoy.bootstrap.internal_listener",
  typedConfig: { "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener" },
};

function inlineRoutes(value: JsonValue, routes: ReadonlyMap<string, JsonObject>): JsonValue {
  if (Array.isArray(value)) return value.map((one) => inlineRoutes(one, routes));
  if (typeof value !== "object" || value === null) return value;
  const { rds, ...others } = value as JsonObject & { rds?: { routeConfigName: string } };
  const inner = Object.fromEntries(Object.entries(others).map(([key, one]) => [key, inlineRoutes(one, routes)]));
  return rds === undefined ? inner : { ...inner, routeConfig: found(routes, rds.routeConfigName) };
}

function inlineEndpoints(cluster: JsonObject, assignments: ReadonlyMap<string, JsonObject>): JsonObject {
  if (cluster["type"] !== "EDS") return cluster;
  const { edsClusterConfig: _, ...others } = cluster;
  return { ...others, type: "STATIC", loadAssignment: found(assignments, JSON.stringify(cluster["name"]).slice(1, -1)) };
}

function found(resources: ReadonlyMap<string, JsonObject>, name: string): JsonObject {
  const resource = resources.get(name);
  if (resource === undefined) throw new Error(`nothing is named ${name}`);
  return resource;
}
