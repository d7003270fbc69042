/** What the control plane keeps on the cluster for gateways: the class `weir`, what runs for each Gateway, and for what is declared public. */
import { publicPort } from "../../compile/public-gateway.ts";
import { bundlePem, type TrustBundle } from "../../identity/bundle.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { gatewayLabel } from "../../model/gateway.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { gatewayController } from "../../providers/kubernetes/gateway-objects.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { gatewayWorkloads, publicGatewayWorkloads } from "../../providers/kubernetes/translate-gateway-workloads.ts";
import type { TranslatedGateway } from "../../providers/kubernetes/translate-gateways.ts";
import { managedLabel } from "../../providers/kubernetes/workload-objects.ts";
import { GatewayWorkloads, type WantedObjects } from "./gateway-workloads.ts";
import type { ControlSettings } from "./settings.ts";

export interface GatewaysOptions {
  readonly client: Pick<KubeClient, "apply" | "get" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: ControlSettings;
  readonly view: Readable<ClusterView | undefined>;
  readonly gateways: Readable<readonly TranslatedGateway[]>;
  /** Of the cluster's own gateway; undefined: not known yet. */
  readonly publicPorts: Readable<readonly number[] | undefined>;
  readonly bundle: Readable<TrustBundle>;
}

/** Works until `signal` aborts. Without an image of our own nothing is started. */
export async function runGateways(options: GatewaysOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, log, settings, gateways, publicPorts, bundle } = options;
  const { image } = settings;
  if (image === undefined) return;
  const wanted = new Cell<WantedObjects>({ objects: [], unwanted: [] });
  const control = `weir-control.${settings.namespace}.svc:${settings.port}`;
  const decide = (): void => {
    const made = { image, control, trustDomain: settings.trustDomain, roots: bundlePem(bundle.get()) };
    const ports = publicPorts.get();
    const own = publicGatewayWorkloads(settings.namespace, ports ?? [], settings.domain, made);
    const unwanted = ports?.length === 0 ? publicGatewayWorkloads(settings.namespace, [publicPort], settings.domain, made) : [];
    wanted.set({ objects: [...gateways.get().flatMap((gateway) => gatewayWorkloads(gateway, made)), ...own], unwanted });
  };
  const follow = async (source: Readable<unknown>): Promise<void> => {
    for await (const _ of source.watch(signal)) decide();
  };
  const workloads = new GatewayWorkloads({ client, clock, log, wanted });
  await Promise.all([follow(gateways), follow(publicPorts), follow(bundle), workloads.start(signal), keepClass(options, signal)]);
}

/** The class that users name, so that they need not make one. */
const gatewayClass = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GatewayClass",
  metadata: { name: "weir", labels: { "app.kubernetes.io/part-of": "weir", [managedLabel.key]: managedLabel.value, [gatewayLabel.key]: gatewayLabel.value } },
  spec: { controllerName: gatewayController, description: "Weir: Envoy, with mutual TLS to pods of the mesh" },
};
/** A cluster gets Gateway API when it gets it. */
const classMs = 5_000;

async function keepClass({ client, clock, log, view }: GatewaysOptions, signal: AbortSignal): Promise<void> {
  const kind = { group: "gateway.networking.k8s.io", version: "v1", resource: "gatewayclasses" };
  while (!signal.aborted) {
    if (view.get()?.gatewayClasses.has(gatewayClass.metadata.name) === false) {
      const made = await client.apply({ kind, name: gatewayClass.metadata.name }, gatewayClass, { signal });
      if (!made.ok && made.error.kind !== "notFound" && !signal.aborted)
        log.warn("the GatewayClass cannot be made; trying again", { reason: made.error.message });
    }
    await clock.sleep(classMs, signal);
  }
}
