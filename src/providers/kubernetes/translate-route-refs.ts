/** What a route's references to backends lead to, and whether they may. */
import type { KubeService, Objects } from "./objects.ts";
import { gatewayGroup, type KubeObjectRef, type KubeReferenceGrant, type KubeRoute } from "./route-objects.ts";
import { declaredProtocol, isTcp } from "./translate-ports.ts";
import { appPort, type RefProblem, type Resolve, type Resolved } from "./translate-route-rules.ts";

/** Finds Services. Those of the route's own namespace and of `near` may be named freely; those of others need a ReferenceGrant there. */
export function resolverFor(route: KubeRoute, near: string, grants: Objects<KubeReferenceGrant>, services: Objects<KubeService>): Resolve {
  return (ref) => {
    if (ref.group !== "" || ref.kind !== "Service") return no("InvalidKind", `a backend of kind ${ref.kind} is not known, only Services`);
    const isNear = ref.namespace === route.namespace || ref.namespace === near;
    if (!isNear && !isGranted(grants, route, ref))
      return no("RefNotPermitted", `no ReferenceGrant in ${ref.namespace} lets a ${route.kind} of ${route.namespace} name Service ${ref.name}`);
    return portOf(route.kind, ref, services.get(`${ref.namespace}/${ref.name}`));
  };
}

function no(reason: RefProblem["reason"], message: string): Resolved {
  return { ok: false, problem: { reason, message } };
}

/** Whether a ReferenceGrant in the namespace of `to` lets Gateway API's object `from` name it. */
export function isGranted(
  grants: Objects<KubeReferenceGrant>,
  from: { readonly kind: string; readonly namespace: string },
  to: Pick<KubeObjectRef, "group" | "kind" | "namespace" | "name">,
): boolean {
  return [...grants.values()].some(
    (grant) =>
      grant.namespace === to.namespace &&
      grant.from.some(({ group, kind, namespace }) => group === gatewayGroup && kind === from.kind && namespace === from.namespace) &&
      grant.to.some(({ group, kind, name }) => group === to.group && kind === to.kind && (name === undefined || name === to.name)),
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
