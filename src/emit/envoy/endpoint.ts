/** Endpoints of a backend: the fast path. */
import { ClusterLoadAssignmentSchema } from "../../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { listeningPort } from "../../compile/backends.ts";
import type { Backend } from "../../compile/mesh-plan.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import type { Endpoint } from "../../model/world.ts";
import { socketAddress } from "./cluster.ts";
import { type EnvoyResource, resource } from "./resource.ts";

type Version = Backend & { readonly kind: "version" };

/** The load assignment of one version's port; no endpoints is an answer, too. */
export const loadAssignment: (backend: Version, endpoints: readonly Endpoint[]) => EnvoyResource = memoizeLast(
  (backend: Version, endpoints: readonly Endpoint[]) => {
    const sorted = [...endpoints].sort((a, b) => (a.id < b.id ? -1 : 1));
    return resource(ClusterLoadAssignmentSchema, backend.id, {
      clusterName: backend.id,
      endpoints: [
        {
          lbEndpoints: sorted.flatMap((endpoint) => {
            const port = listeningPort(endpoint, backend);
            return port === undefined ? [] : [{ hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress(endpoint.address, port) } } }];
          }),
        },
      ],
    });
  },
);
