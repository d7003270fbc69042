/** Writes into the statuses of Gateway API's objects what we make of them. */

import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { conditionTime } from "../../providers/kubernetes/declared-status.ts";
import { statusText } from "../../providers/kubernetes/read-gateways.ts";
import { mergedObjectStatus, mergedStatus, writtenStatus } from "../../providers/kubernetes/route-status.ts";
import type { PolicyStatus } from "../../providers/kubernetes/translate-backend-tls.ts";
import type { ObjectStatus } from "../../providers/kubernetes/translate-gateway-status.ts";
import type { RouteStatus } from "../../providers/kubernetes/translate-routes.ts";

/** What the status of one object should say, and what it says. */
export type WantedStatus = RouteStatus | PolicyStatus | ObjectStatus;

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, "get" | "apply">;
  readonly clock: Clock;
  readonly log: Log;
  readonly wanted: Readable<readonly WantedStatus[]>;
}

/** Between two writes, so that a thousand new routes do not take the API server. */
const restMs = 20;
/** After a write that failed. */
const retryMs = 5_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** By object: what was written last. The API server's own word comes back only after a while. */
  readonly #written = new Map<string, string>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { wanted, clock } = this.#options;
    for await (const statuses of wanted.watch(signal)) {
      this.#forget(statuses);
      // Newer words come at the latest after one round.
      while (!signal.aborted && !(await this.#writeAll(statuses, signal))) {
        await clock.sleep(retryMs, signal);
        if (wanted.get() !== statuses) break;
      }
    }
  }

  #forget(statuses: readonly WantedStatus[]): void {
    const known = new Set(statuses.map(nameOf));
    for (const name of this.#written.keys()) if (!known.has(name)) this.#written.delete(name);
  }

  /** False: some could not be written. */
  async #writeAll(statuses: readonly WantedStatus[], signal: AbortSignal): Promise<boolean> {
    let isDone = true;
    for (const status of statuses) {
      if (signal.aborted) return true;
      const [name, { said, reported }] = [nameOf(status), textsOf(status)];
      if (said === reported) this.#written.delete(name);
      else if (this.#written.get(name) !== textOf(status)) {
        const isWritten = await this.#write(status, signal);
        if (isWritten) this.#written.set(name, textOf(status));
        isDone &&= isWritten;
        await this.#options.clock.sleep(restMs, signal);
      }
    }
    return isDone;
  }

  async #write(status: WantedStatus, signal: AbortSignal): Promise<boolean> {
    const { client, log, clock } = this.#options;
    const place = placeOf(status);
    const now = await client.get(place, signal);
    if (!now.ok && now.error.kind === "notFound") return true;
    if (!now.ok) return this.#told(status, now.error.message);
    // The list of parents is one value for the API server, so the others' entries are part of what we say; a change meanwhile is a conflict.
    const at = conditionTime(clock.now());
    const object = "parents" in status ? mergedStatus(now.value, status, at) : mergedObjectStatus(now.value, status, at);
    const answer = await client.apply({ ...place, subresource: "status" }, object, { force: true, signal });
    if (!answer.ok && answer.error.kind === "notFound") return true;
    if (!answer.ok) return this.#told(status, answer.error.message);
    log.debug("status", { object: nameOf(status) });
    return true;
  }

  #told(status: WantedStatus, reason: string): false {
    this.#options.log.warn("a status cannot be written; trying again", { object: nameOf(status), reason });
    return false;
  }
}

function nameOf({ kind, namespace, name }: WantedStatus): string {
  return `${kind} ${namespace}/${name}`;
}

/** What is wanted and what was there. */
function textsOf(status: WantedStatus): { readonly said: string; readonly reported: string } {
  if ("parents" in status) return { said: canonicalJson(status.parents), reported: canonicalJson(status.reported) };
  return { said: statusText(writtenStatus(status)), reported: status.reported };
}

/** If either changes, it is written again. */
function textOf(status: WantedStatus): string {
  const { said, reported } = textsOf(status);
  return `${said}\n${reported}`;
}

const resources: Readonly<Record<WantedStatus["kind"], string>> = {
  HTTPRoute: "httproutes",
  GRPCRoute: "grpcroutes",
  TLSRoute: "tlsroutes",
  TCPRoute: "tcproutes",
  GatewayClass: "gatewayclasses",
  Gateway: "gateways",
  ListenerSet: "listenersets",
  BackendTLSPolicy: "backendtlspolicies",
};

function placeOf({ kind, namespace, name }: WantedStatus): ObjectPlace {
  return { kind: { group: "gateway.networking.k8s.io", version: "v1", resource: resources[kind] }, ...(namespace === "" ? {} : { namespace }), name };
}
