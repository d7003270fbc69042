/** Says in the statuses of objects what we make of them: of declared ones what runs and what is true in Envoy, of Gateway API's what they come to. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { clusterKinds, weirGroup, weirVersion } from "../../model/declared-kinds.ts";
import { nextTime } from "../../model/schedule.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { conditionSince, type StatusCondition } from "../../providers/kubernetes/conditions.ts";
import { statusManager, writtenAppStatus, writtenJobStatus, writtenVersionStatus } from "../../providers/kubernetes/declared-status.ts";
import { type GatewayApiStatus, gatewayApiStatuses } from "../../providers/kubernetes/gateway-api-status.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { list, record } from "../../providers/kubernetes/readers.ts";
import { StatusWriter, type WantedStatus } from "../../providers/kubernetes/status-writer.ts";
import { nextTickAt } from "../../release/rollout.ts";
import { type DeclaredStatus, declaredStatuses } from "./declared-statuses.ts";
import type { InForce } from "./in-force.ts";
import type { WorkloadState } from "./workload-controller.ts";

export interface StatusReporterOptions {
  readonly client: Pick<KubeClient, "get" | "apply">;
  readonly view: Readable<ClusterView | undefined>;
  readonly inForce: Readable<InForce | undefined>;
  readonly workloads: Readable<WorkloadState>;
  readonly gatewayApi: Readable<readonly GatewayApiStatus[]>;
  readonly clock: Clock;
  readonly log: Log;
}

/** After a round of writes: a rollout that moves ten times a second need not be told as often. */
const restMs = 250;

export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #writer: StatusWriter;
  #declared: ReadonlyMap<string, DeclaredStatus> = new Map();

  constructor(options: StatusReporterOptions) {
    this.#options = options;
    this.#writer = new StatusWriter(options);
  }

  /** Works until `signal` aborts. */
  start(signal: AbortSignal): Promise<void> {
    const { view, inForce, workloads, gatewayApi, clock, log } = this.#options;
    return runLoop({ sources: [view, inForce, workloads, gatewayApi], clock, log, step: () => this.#round(signal) }, signal);
  }

  /** Answers when to look again although nothing happened. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    const { view, inForce, workloads, gatewayApi, clock } = this.#options;
    const [seen, there, now] = [view.get(), inForce.get(), clock.now()];
    // Before any Envoy answered, what we said before we were started again is the better word.
    const isKnown = seen?.connected === true && there !== undefined;
    if (isKnown) this.#declared = declaredStatuses({ view: seen, inForce: there, workloads: workloads.get(), now, before: this.#declared });
    const wanted = [...gatewayApiStatuses(gatewayApi.get()), ...[...this.#declared].map(([key, status]) => wantedStatus(key, status))];
    const { wrote, wakeAt } = await this.#writer.round(wanted, signal);
    const times = [...(isKnown ? changeTimes(seen, now) : []), ...(wakeAt === undefined ? [] : [wakeAt])];
    if (wrote) await clock.sleep(restMs, signal);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}

/** When there will be something else to say although nothing happens. */
function changeTimes({ apps, declaredJobs }: ClusterView, now: number): readonly number[] {
  const moving = [...apps.values()].flatMap(({ value }) => (value === undefined ? [] : (nextTickAt(value, now) ?? [])));
  const runs = [...declaredJobs.values()].flatMap(({ value }) => (value?.job.schedule === undefined ? [] : (nextTime(value.job.schedule, now) ?? [])));
  return [...moving, ...runs];
}

function wantedStatus(key: string, declared: DeclaredStatus): WantedStatus {
  const { kind, namespace, name, uid, status } = declared;
  const { group, version, resource } = clusterKinds[kind];
  return {
    key,
    place: { kind: { group, version, resource }, namespace, name },
    // A later object of this name has been told nothing yet.
    text: `${uid} ${canonicalJson(status)}`,
    manager: statusManager,
    applied(now, at) {
      const before = list(record(now["status"])["conditions"]).map(record);
      const conditions = status.conditions.map((condition) => conditionSince(condition, before, at));
      const metadata = { namespace, name, uid };
      return { apiVersion: `${weirGroup}/${weirVersion}`, kind: clusterKinds[kind].kind, metadata, status: written(declared, conditions) };
    },
  };
}

function written(declared: DeclaredStatus, conditions: readonly StatusCondition[]): object {
  switch (declared.kind) {
    case "service":
      return writtenVersionStatus({ ...declared.status, conditions });
    case "app":
      return writtenAppStatus({ ...declared.status, conditions });
    case "job":
      return writtenJobStatus({ ...declared.status, conditions });
    case "router":
    case "external":
      return { ...declared.status, conditions };
    default:
      return declared satisfies never;
  }
}
