/** What the control plane keeps on the cluster for gateways: the class `weir`, what runs for each Gateway, and for what is declared public. */
import { bundlePem, type TrustBundle } from "../../identity/bundle.ts";
import type { Cell, Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { gatewayLabel } from "../../model/gateway.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { gatewayController } from "../../providers/kubernetes/gateway-objects.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { gatewayClaims } from "../../providers/kubernetes/translate-gateway-workloads.ts";
import type { TranslatedGateway } from "../../providers/kubernetes/translate-gateways.ts";
import type { GatewayClaims } from "../../providers/kubernetes/translate-wanted.ts";
import { managedLabel } from "../../providers/kubernetes/workload-objects.ts";
import type { ControlSettings } from "./settings.ts";

export interface GatewaysOptions {
  readonly client: Pick<KubeClient, "apply">;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: ControlSettings;
  readonly view: Readable<ClusterView | undefined>;
  readonly gateways: Readable<readonly TranslatedGateway[]>;
  /** Of the cluster's own gateway; undefined: not known yet. */
  readonly publicPorts: Readable<readonly number[] | undefined>;
  readonly bundle: Readable<TrustBundle>;
  /** Gets what should run, for whoever writes all objects. */
  readonly claims: Cell<GatewayClaims>;
}

/** Works until `signal` aborts. Without an image of our own nothing is started. */
export async function runGateways(options: GatewaysOptions, signal: AbortSignal): Promise<void> {
  const { settings, gateways, publicPorts, bundle, claims, clock, log } = options;
  const { image } = settings;
  if (image === undefined) return;
  const control = `weir-control.${settings.namespace}.svc:${settings.port}`;
  const step = (): void => {
    claims.set(gatewayClaims(gateways.get(), publicPorts.get(), { ...settings, image, control, roots: bundlePem(bundle.get()) }));
  };
  await Promise.all([runLoop({ sources: [gateways, publicPorts, bundle], clock, log, step }, signal), keepClass(options, signal)]);
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
