/** What one Envoy holds, decoded from what the emitter made. */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type Cluster, ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Address } from "../../gen/envoy/config/core/v3/address_pb.js";
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { type Listener, ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { type RouteConfiguration, RouteConfigurationSchema } from "../../gen/envoy/config/route/v3/route_pb.js";
import type { EnvoyResource } from "../../src/emit/envoy/resource.ts";

export interface Proxy {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly assignments: ReadonlyMap<string, ClusterLoadAssignment>;
}

/** Decodes all resources of one Envoy. */
export function decodeProxy(resources: readonly EnvoyResource[]): Proxy {
  const all = <Schema extends DescMessage>(schema: Schema): ReadonlyMap<string, MessageShape<Schema>> =>
    new Map(resources.filter((one) => one.typeUrl.endsWith(`/${schema.typeName}`)).map((one) => [one.name, fromBinary(schema, one.body)]));
  return { listeners: all(ListenerSchema), routes: all(RouteConfigurationSchema), clusters: all(ClusterSchema), assignments: all(ClusterLoadAssignmentSchema) };
}

/** Unpacks an Any that must hold `schema`; undefined when it holds something else. */
export function unpack<Schema extends DescMessage>(schema: Schema, any: Any | undefined): MessageShape<Schema> | undefined {
  return any?.typeUrl.endsWith(`/${schema.typeName}`) === true ? fromBinary(schema, any.value) : undefined;
}

/** `IP:PORT`, or the path of a Unix socket. */
export function addressText(address: Address | undefined): string {
  const value = address?.address;
  if (value?.case === "pipe") return value.value.path;
  if (value?.case !== "socketAddress") return "";
  return `${value.value.address}:${value.value.portSpecifier.value}`;
}

/** The value that must be there, or the configuration is broken: the test fails with `what`. */
export function must<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`Envoy's configuration is broken: ${what}`);
  return value;
}
