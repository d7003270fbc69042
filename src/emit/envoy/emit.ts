/** MeshPlan → what each Envoy should hold. Decides nothing: everything is in the plan. */
import { ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Backend, MeshPlan } from "../../compile/mesh-plan.ts";
import { memoize } from "../../lib/memoize.ts";
import type { Endpoint, GatewaySettings } from "../../model/world.ts";
import { anywhereCluster, captureChains, captureListener } from "./capture-listener.ts";
import { backendCluster, httpOptions, pipe, staticEndpoint } from "./cluster.ts";
import { loadAssignment } from "./endpoint.ts";
import { gatewayListener, gatewayTcpListener } from "./gateway-listener.ts";
import { gatewayProxy } from "./gateway-proxy.ts";
import { anywhereSocket } from "./paths.ts";
import { duration, type EnvoyResource, resource } from "./resource.ts";
import { gatewayRouteConfiguration, meshRouteConfiguration } from "./route-configuration.ts";

export interface EnvoyConfig {
  readonly node: readonly EnvoyResource[];
  readonly gateway: readonly EnvoyResource[];
}

/**
 * Translates a plan for the two Envoys of a machine. Equal plans give equal bytes in the same order; what is emitted from unchanged parts of a plan is the
 * same object as before, so that calling this for every change costs little more than what changed.
 */
export function emitEnvoy(plan: MeshPlan): EnvoyConfig {
  return { node: nodeProxy(plan), gateway: gatewayProxy(plan) };
}

function nodeProxy(plan: MeshPlan): readonly EnvoyResource[] {
  const { gateway } = plan;
  const chains = captureChains(plan);
  const open = plan.captures.some((capture) => capture.egress);
  return [
    ...plan.backends.map((backend) => backendCluster(backend, gateway.socketDir)),
    ...(open ? [anywhere(gateway)] : []),
    ...plan.backends.filter(isVersion).map((backend) => loadAssignment(backend, plan.endpoints.get(backend.id) ?? none)),
    gatewayListener(gateway),
    ...plan.gatewayTcp.filter(({ destinations }) => destinations.length > 0).map((tcp) => gatewayTcpListener(tcp, gateway.socketDir)),
    ...plan.captures.map((capture) => captureListener(capture, chains)),
    meshRouteConfiguration(plan.hosts),
    gatewayRouteConfiguration(plan.hosts),
  ];
}

const none: readonly Endpoint[] = [];

function isVersion(backend: Backend): backend is Backend & { kind: "version" } {
  return backend.kind === "version";
}

/** The tunnel to the gateway Envoy that goes anywhere. */
const anywhere = memoize(({ socketDir }: GatewaySettings) =>
  resource(ClusterSchema, anywhereCluster, {
    name: anywhereCluster,
    connectTimeout: duration(5_000),
    ...staticEndpoint(anywhereCluster, pipe(anywhereSocket(socketDir))),
    typedExtensionProtocolOptions: httpOptions("http2"),
  }),
);
