/** Everything that is decided of a cluster in one step: its World, and what each of its Envoys should do. No I/O. */
import { type Compiled, compileWorld } from "../../compile/compile.ts";
import { compileGateway, type GatewayPlan } from "../../compile/gateway-plan.ts";
import { compileNode, type NodePlan } from "../../compile/node-plan.ts";
import { compilePublicGateway } from "../../compile/public-gateway.ts";
import type { Gateway } from "../../model/gateway.ts";
import type { MeshPods } from "../../model/mesh-pod.ts";
import type { SpiffeId, TrustDomain } from "../../model/spiffe.ts";
import type { World } from "../../model/world.ts";
import type { ClusterTranslation } from "../../providers/kubernetes/translate.ts";
import { reservedPorts } from "../../providers/kubernetes/translate-gateway-listeners.ts";
import { type Member, meshPods } from "../../release/membership.ts";
import { clusterWorld } from "./cluster-world.ts";

export interface PlansInput {
  readonly translation: ClusterTranslation;
  readonly members: ReadonlyMap<string, Member>;
  /** Those whose Envoys get a plan. */
  readonly nodes: readonly string[];
  readonly gateways: readonly Gateway[];
  /** The cluster's own gateway: who it is, and what names it gives (the same object each time, or the World is another). */
  readonly publicGateway: { readonly identity: SpiffeId; readonly names: World["gateway"] };
  readonly trustDomain: TrustDomain;
  readonly now: number;
}

export interface ClusterPlans {
  readonly world: World;
  readonly compiled: Compiled;
  readonly mesh: MeshPods;
  readonly nodes: ReadonlyMap<string, NodePlan>;
  /** By identity, in the order of the gateways. */
  readonly gateways: ReadonlyMap<SpiffeId, GatewayPlan>;
  /** Of the cluster's own gateway; undefined: nothing is public. */
  readonly public: GatewayPlan | undefined;
}

/** Decides anew; what says the same as in `before`, the plans of the last step, is the same object. */
export function clusterPlans(input: PlansInput, before: ClusterPlans | undefined): ClusterPlans {
  const { translation, members, nodes, gateways, publicGateway, trustDomain, now } = input;
  const mesh = meshPods(members, trustDomain, before?.mesh);
  const world = clusterWorld(translation, now, publicGateway.names, before?.world);
  const compiled = compileWorld(world, before?.compiled);
  const { plan } = compiled;
  return {
    world,
    compiled,
    mesh,
    nodes: new Map(nodes.map((node) => [node, compileNode(plan, mesh, node, before?.nodes.get(node))])),
    gateways: new Map(
      gateways.map((gateway) => [gateway.identity, compileGateway(gateway, world, plan, mesh, before?.gateways.get(gateway.identity))] as const),
    ),
    public: compilePublicGateway(publicGateway.identity, plan, mesh, reservedPorts, before?.public),
  };
}
