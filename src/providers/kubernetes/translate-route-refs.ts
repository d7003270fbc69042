/** What a route's references to backends lead to, and whether they may. */
import type { KubeService, Objects } from "./objects.ts";
import type { KubeObjectRef, KubeParentRef, KubeReferenceGrant, KubeRoute } from "./route-objects.ts";
import { declaredProtocol, isTcp } from "./translate-ports.ts";
import { appPort, type RefProblem, type Resolve, type Resolved } from "./translate-route-rules.ts";

/**
 * Finds Services. Those of the route's own namespace and of its parent's may be named freely: who may call the parent is allowed to call there. Those of
 * others need a ReferenceGrant there.
 */
export function resolverFor(route: KubeRoute, parent: KubeParentRef, grants: Objects<KubeReferenceGrant>, services: Objects<KubeService>): Resolve {
  return (ref) => {
    if (ref.group !== "" || ref.kind !== "Service") return no("InvalidKind", `a backend of kind ${ref.kind} is not known, only Services`);
    const isNear = ref.namespace === route.namespace || ref.namespace === parent.namespace;
    if (!isNear && ![...grants.values()].some((grant) => allows(grant, route, ref)))
      return no("RefNotPermitted", `no ReferenceGrant in ${ref.namespace} lets a ${route.kind} of ${route.namespace} name Service ${ref.name}`);
    return portOf(route.kind, ref, services.get(`${ref.namespace}/${ref.name}`));
  };
}

function no(reason: RefProblem["reason"], message: string): Resolved {
  return { ok: false, problem: { reason, message } };
}

function allows(grant: KubeReferenceGrant, route: KubeRoute, ref: KubeObjectRef): boolean {
  return (
    grant.namespace === ref.namespace &&
    grant.from.some(({ group, kind, namespace }) => group === "gateway.networking.k8s.io" && kind === route.kind && namespace === route.namespace) &&
    grant.to.some(({ group, kind, name }) => group === "" && kind === "Service" && (name === undefined || name === ref.name))
  );
}

function portOf(kind: KubeRoute["kind"], { namespace, name, port }: KubeObjectRef, service: KubeService | undefined): Resolved {
  if (service === undefined || service.type === "ExternalName") return no("BackendNotFound", `there is no Service ${namespace}/${name} with endpoints`);
  const found = service.ports.find((one) => isTcp(one) && one.number === port);
  if (found === undefined) return no("BackendNotFound", `Service ${namespace}/${name} has no TCP port ${port ?? "without a number"}`);
  const protocol = declaredProtocol(found);
  if (kind === "GRPCRoute" && protocol !== "grpc" && protocol !== "http2")
    return no("UnsupportedProtocol", `port ${found.number} of Service ${namespace}/${name} does not say that it speaks gRPC; see appProtocol`);
  return { ok: true, to: appPort(namespace, name, found.number) };
}
