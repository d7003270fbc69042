/** Says in the statuses of declared objects what runs of them and what of them is true in Envoy. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { clusterKinds, weirGroup, weirVersion } from "../../model/declared-kinds.ts";
import { nextTime } from "../../model/schedule.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import {
  conditionSince,
  conditionTime,
  type StatusCondition,
  statusManager,
  writtenAppStatus,
  writtenJobStatus,
  writtenVersionStatus,
} from "../../providers/kubernetes/declared-status.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { list, record } from "../../providers/kubernetes/readers.ts";
import { nextTickAt } from "../../release/rollout.ts";
import { Alarm } from "../alarm.ts";
import type { InForce } from "./cluster-loop.ts";
import { type WantedStatus, wantedStatuses } from "./declared-statuses.ts";
import type { WorkloadState } from "./workload-controller.ts";

export interface StatusReporterOptions {
  readonly client: Pick<KubeClient, "get" | "apply">;
  readonly view: Readable<ClusterView | undefined>;
  readonly inForce: Readable<InForce | undefined>;
  readonly workloads: Readable<WorkloadState>;
  readonly clock: Clock;
  readonly log: Log;
}

/** After a round of writes: a rollout that moves ten times a second need not be told as often. */
const restMs = 250;
/** After a write that failed. */
const retryMs = 5_000;

/** What was written last of one object. */
interface Told {
  readonly uid: string;
  readonly text: string;
  readonly conditions: readonly StatusCondition[];
}

export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #wakes = new Cell(0);
  readonly #alarm: Alarm;
  readonly #told = new Map<string, Told>();
  #wanted: ReadonlyMap<string, WantedStatus> = new Map();

  constructor(options: StatusReporterOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#wakes.update((count) => count + 1));
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { view, inForce, workloads } = this.#options;
    const follow = async (source: Readable<unknown>): Promise<void> => {
      for await (const _ of source.watch(signal)) this.#wakes.update((count) => count + 1);
    };
    await Promise.all([follow(view), follow(inForce), follow(workloads), this.#alarm.start(signal), this.#run(signal)]);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for await (const _ of this.#wakes.watch(signal)) {
      try {
        if (await this.#round(signal)) await clock.sleep(restMs, signal);
      } catch (error) {
        log.error("a round of statuses failed", { error: error instanceof Error ? error.stack : String(error) });
      }
    }
  }

  /** True: something was written. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const [view, inForce] = [this.#options.view.get(), this.#options.inForce.get()];
    // Before any Envoy answered, what we said before we were started again is the better word.
    if (view === undefined || inForce === undefined || !view.connected) return false;
    const now = clock.now();
    this.#wanted = wantedStatuses({ view, inForce, workloads: this.#options.workloads.get(), now, before: this.#wanted });
    for (const key of this.#told.keys()) if (!this.#wanted.has(key)) this.#told.delete(key);
    let [isWritten, isDone] = [false, true];
    for (const [key, wanted] of this.#wanted) {
      if (signal.aborted) return false;
      const told = this.#told.get(key);
      if (told?.uid === wanted.uid && told.text === canonicalJson(wanted.status)) continue;
      isWritten = true;
      isDone = (await this.#write(key, wanted, signal)) && isDone;
    }
    const moving = [...view.apps.values()].flatMap(({ value }) => (value === undefined ? [] : (nextTickAt(value, now) ?? [])));
    const times = [...view.declaredJobs.values()].flatMap(({ value }) => (value?.job.schedule === undefined ? [] : (nextTime(value.job.schedule, now) ?? [])));
    const wakeAt = [...moving, ...times, ...(isDone ? [] : [now + retryMs])];
    this.#alarm.set(wakeAt.length === 0 ? undefined : Math.min(...wakeAt));
    return isWritten;
  }

  async #write(key: string, wanted: WantedStatus, signal: AbortSignal): Promise<boolean> {
    const { client, clock, log } = this.#options;
    const place = placeOf(wanted);
    const known = this.#told.get(key);
    const before = known?.uid === wanted.uid ? known.conditions : await this.#conditionsOf(place, signal);
    const at = conditionTime(clock.now());
    const conditions = wanted.status.conditions.map((condition) => conditionSince(condition, before, at));
    const { kind } = clusterKinds[wanted.kind];
    const metadata = { namespace: wanted.namespace, name: wanted.name, uid: wanted.uid };
    const object = { apiVersion: `${weirGroup}/${weirVersion}`, kind, metadata, status: written(wanted, conditions) };
    const answer = await client.apply({ ...place, subresource: "status" }, object, { force: true, manager: statusManager, signal });
    const isGone = !answer.ok && (answer.error.kind === "notFound" || answer.error.kind === "conflict");
    // Deleted, or made anew under its name: there will be news of it.
    if (isGone || signal.aborted) return true;
    if (answer.ok) this.#told.set(key, { uid: wanted.uid, text: canonicalJson(wanted.status), conditions });
    else log.warn("a status cannot be written; trying again", { object: key, reason: answer.error.message });
    return answer.ok;
  }

  /** What somebody said before we were started. */
  async #conditionsOf(place: ObjectPlace, signal: AbortSignal): Promise<readonly StatusCondition[]> {
    const found = await this.#options.client.get(place, signal);
    return found.ok ? (list(record(record(found.value)["status"])["conditions"]) as readonly StatusCondition[]) : [];
  }
}

function placeOf({ kind, namespace, name }: WantedStatus): ObjectPlace {
  const { group, version, resource } = clusterKinds[kind];
  return { kind: { group, version, resource }, namespace, name };
}

function written(wanted: WantedStatus, conditions: readonly StatusCondition[]): object {
  switch (wanted.kind) {
    case "service":
      return writtenVersionStatus({ ...wanted.status, conditions });
    case "app":
      return writtenAppStatus({ ...wanted.status, conditions });
    case "job":
      return writtenJobStatus({ ...wanted.status, conditions });
    case "router":
    case "external":
      return { ...wanted.status, conditions };
    default:
      return wanted satisfies never;
  }
}
