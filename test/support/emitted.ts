/** What can be said about any emitted configuration: that it names only what is in it. */
import assert from "node:assert/strict";
import type { EnvoyResource } from "../../src/emit/envoy/resource.ts";
import { messageToJson } from "../../src/xds/descriptors.ts";

/** A resource's type and name: `Cluster web@v1.default:80`. */
export function resourceKey({ typeUrl, name }: EnvoyResource): string {
  return `${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${name}`;
}

/** Every name in a resource that says which other resource it needs. */
export function references(resource: EnvoyResource): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, name: string): void => {
    if (Array.isArray(value)) {
      for (const one of value) visit(one, name);
    } else if (typeof value === "object" && value !== null) {
      for (const [inner, one] of Object.entries(value)) visit(one, inner);
      const { type, edsClusterConfig, clusters } = value as {
        type?: string;
        edsClusterConfig?: { readonly serviceName?: string };
        clusters?: readonly { readonly name: string }[];
      };
      if (type === "EDS" && edsClusterConfig !== undefined) found.push(`ClusterLoadAssignment ${edsClusterConfig.serviceName ?? resource.name}`);
      if (name === "weightedClusters") for (const cluster of clusters ?? []) found.push(`Cluster ${cluster.name}`);
    } else if (name === "cluster") found.push(`Cluster ${String(value)}`);
    else if (name === "routeConfigName") found.push(`RouteConfiguration ${String(value)}`);
  };
  visit(messageToJson(resource.typeUrl, resource.body), "");
  return found;
}

/** Fails when a reference leads nowhere, a name is there twice, or routes or endpoints are there that nobody uses. */
export function assertConsistent(resources: readonly EnvoyResource[]): void {
  const keys = resources.map(resourceKey);
  const known = new Set(keys);
  assert.equal(known.size, keys.length, `a name is there twice: ${keys.join(", ")}`);
  const used = new Set(resources.flatMap(references));
  for (const reference of used) assert.ok(known.has(reference), `${reference} is named but not there`);
  for (const one of keys.filter((name) => /^(RouteConfiguration|ClusterLoadAssignment) /.test(name))) assert.ok(used.has(one), `${one} is there but not named`);
}
