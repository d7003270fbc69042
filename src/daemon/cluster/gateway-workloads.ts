/** Applies what runs for Gateways, and puts right again what somebody changed. What belongs to a Gateway that is gone, Kubernetes takes away. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { gatewayLabel } from "../../model/gateway.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { record } from "../../providers/kubernetes/readers.ts";
import type { GatewayObject } from "../../providers/kubernetes/translate-gateway-workloads.ts";

export interface WantedObjects {
  readonly objects: readonly GatewayObject[];
  /** What belongs to nobody, and must not be there. */
  readonly unwanted: readonly GatewayObject[];
}

export interface GatewayWorkloadsOptions {
  readonly client: Pick<KubeClient, "apply" | "get" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
  readonly wanted: Readable<WantedObjects>;
}

/** After a write that failed. */
const retryMs = 5_000;
/** Everything is applied again so often, changed or not. */
const repairMs = 60_000;

export class GatewayWorkloads {
  readonly #options: GatewayWorkloadsOptions;
  /** By object: what was applied last, and when. */
  readonly #applied = new Map<string, { readonly text: string; readonly at: number }>();

  constructor(options: GatewayWorkloadsOptions) {
    this.#options = options;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#repair(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { wanted, clock } = this.#options;
    for await (const now of wanted.watch(signal)) {
      const known = new Set(now.objects.map(keyOf));
      for (const key of this.#applied.keys()) if (!known.has(key)) this.#applied.delete(key);
      while (!signal.aborted && !((await this.#applyAll(now.objects, signal)) && (await this.#removeAll(now.unwanted, signal)))) {
        await clock.sleep(retryMs, signal);
        if (wanted.get() !== now) break;
      }
    }
  }

  async #repair(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(repairMs, signal);
      if (!signal.aborted) await this.#applyAll(this.#options.wanted.get().objects, signal);
    }
  }

  /** False: some could not be applied. */
  async #applyAll(objects: readonly GatewayObject[], signal: AbortSignal): Promise<boolean> {
    let isDone = true;
    for (const one of objects) {
      if (signal.aborted) return true;
      const { clock } = this.#options;
      const [key, text] = [keyOf(one), canonicalJson(one.object)];
      const before = this.#applied.get(key);
      if (before?.text === text && clock.now() - before.at < repairMs) continue;
      const isApplied = await this.#apply(one, signal);
      if (isApplied) this.#applied.set(key, { text, at: clock.now() });
      isDone &&= isApplied;
    }
    return isDone;
  }

  /** False: some could not be deleted. */
  async #removeAll(objects: readonly GatewayObject[], signal: AbortSignal): Promise<boolean> {
    const { client, log } = this.#options;
    let isDone = true;
    for (const one of objects.toReversed()) {
      const place = placeOf(one);
      const there = await client.get(place, signal);
      if (there.ok ? !isOwn(there.value) : there.error.kind === "notFound") continue;
      const gone = there.ok ? await client.delete(place, { signal }) : there;
      if (gone.ok) log.info("deleted, for nothing is public", { object: keyOf(one) });
      isDone &&= gone.ok || gone.error.kind === "notFound";
    }
    return isDone;
  }

  async #apply(one: GatewayObject, signal: AbortSignal): Promise<boolean> {
    const { client, log } = this.#options;
    const { object } = one;
    const place = placeOf(one);
    const there = await client.get(place, signal);
    const reason =
      there.ok && !isOwn(there.value)
        ? "there is one already, which is not made for a Gateway: delete it, or give the Gateway another name"
        : await client.apply(place, object, { force: true, signal }).then((answer) => (answer.ok ? undefined : answer.error.message));
    if (reason === undefined || signal.aborted) return true;
    log.warn("what a Gateway needs cannot be applied; trying again", { object: keyOf(one), reason });
    return false;
  }
}

function placeOf({ group, version, resource, namespace, name }: GatewayObject): ObjectPlace {
  return { kind: { group, version, resource }, namespace, name };
}

function isOwn(object: unknown): boolean {
  return record(record(record(object)["metadata"])["labels"])[gatewayLabel.key] === gatewayLabel.value;
}

function keyOf({ resource, namespace, name }: GatewayObject): string {
  return `${resource} ${namespace}/${name}`;
}
