import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import { type VersionName, versionKey } from "../../model/names.ts";
import type { Workload, WorkloadPhase } from "../../model/workload.ts";
import type { PlatformOrder, PlatformState, Provider, ReplicaOrder, RunOrder } from "../provider.ts";

/** What becomes of a replica that is started: `crash` ends with code 1 again and again, `hang` never gets ready. */
export type Fate = "ready" | "crash" | "hang";

export interface MemoryProviderOptions {
  readonly clock: Clock;
  /** How long one step takes: starting, draining, a crash. Default 1 ms. */
  readonly stepMs?: number;
  readonly fate?: (replica: ReplicaOrder) => Fate;
  /** What becomes of a job's run: as if it was tried again as often as it may be. Default `succeeded`; undefined: it goes on. */
  readonly outcome?: (run: RunOrder) => "succeeded" | "failed" | undefined;
}

/** A platform that runs nothing and behaves as if it did: the reference for the others, and a stand-in in tests. */
export class MemoryProvider implements Provider {
  readonly #options: MemoryProviderOptions;
  readonly #state = new Cell<PlatformState | undefined>(undefined);
  readonly #order = new Cell<PlatformOrder>({ replicas: [], names: {} });
  #generation = 0;
  #addresses = 1;

  constructor(options: MemoryProviderOptions) {
    this.#options = options;
  }

  get state(): Readable<PlatformState | undefined> {
    return this.#state;
  }

  apply(order: PlatformOrder): number {
    this.#generation += 1;
    this.#order.set(order);
    return this.#generation;
  }

  async start(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const before = this.#state.get();
      const after = this.#step(before?.workloads ?? new Map(), this.#order.get());
      const runs = this.#stepRuns(before?.runs ?? new Map(), this.#order.get().runs ?? []);
      this.#state.set({ connected: true, generation: this.#generation, workloads: after, runs });
      await this.#options.clock.sleep(this.#options.stepMs ?? 1, signal);
    }
  }

  /** Moves every replica one phase on. */
  #step(before: ReadonlyMap<string, Workload>, order: PlatformOrder): ReadonlyMap<string, Workload> {
    const ordered = new Map(order.replicas.map((replica) => [replica.id, replica]));
    const next = new Map<string, Workload>();
    for (const replica of order.replicas) {
      const workload = before.get(replica.id) ?? this.#newWorkload(replica.id, replica.template.hash, replica.template.service);
      next.set(replica.id, this.#moved(workload, this.#nextPhase(workload, replica)));
    }
    for (const [id, workload] of before) {
      if (ordered.has(id) || workload.phase === "exited" || workload.phase === "pending") continue;
      next.set(id, this.#moved(workload, workload.phase === "draining" ? "exited" : "draining"));
    }
    return next;
  }

  #nextPhase(workload: Workload, replica: ReplicaOrder): WorkloadPhase {
    const { phase } = workload;
    if (phase === "exited") return "exited";
    if (phase === "draining") return "exited";
    if (replica.state === "stop") return phase === "pending" ? "exited" : "draining";
    if (phase === "pending" || phase === "backoff") return "starting";
    const fate = this.#options.fate?.(replica) ?? "ready";
    if (phase !== "starting" || fate === "hang") return phase;
    return fate === "crash" ? "backoff" : "ready";
  }

  #moved(workload: Workload, phase: WorkloadPhase): Workload {
    if (phase === workload.phase) return workload;
    const restarts = workload.restarts + (workload.phase === "backoff" ? 1 : 0);
    const { reason: _reason, ...rest } = workload;
    const why = phase === "backoff" ? { reason: "exited with code 1", lastExit: "exited with code 1" } : {};
    return { ...rest, ...why, phase, restarts, since: this.#options.clock.now() };
  }

  /** Moves every run one phase on; what is no longer ordered is gone. */
  #stepRuns(before: ReadonlyMap<string, Workload>, orders: readonly RunOrder[]): ReadonlyMap<string, Workload> {
    return new Map(
      orders.map((order) => {
        const { namespace, name } = order.template.job;
        const names = { namespace, app: name, version: "job" as VersionName };
        return [order.id, this.#movedRun(before.get(order.id) ?? this.#newWorkload(order.id, order.hash, names), order)];
      }),
    );
  }

  #movedRun(workload: Workload, order: RunOrder): Workload {
    if (workload.phase === "exited" || order.state === "hold") return workload;
    if (order.state === "stop") return this.#moved(workload, "exited");
    if (workload.phase === "pending") return this.#moved(workload, "starting");
    const outcome = this.#options.outcome === undefined ? "succeeded" : this.#options.outcome(order);
    if (outcome === undefined) return workload;
    return { ...this.#moved(workload, "exited"), outcome, ...(outcome === "failed" ? { reason: "exited with code 1" } : {}) };
  }

  #newWorkload(id: string, hash: string, { namespace, app, version }: Pick<Workload, "namespace" | "app" | "version">): Workload {
    const address = `100.64.${this.#addresses >> 8}.${this.#addresses & 255}`;
    this.#addresses += 1;
    return {
      id,
      key: versionKey(namespace, app, version),
      namespace,
      app,
      version,
      hash,
      phase: "pending",
      since: this.#options.clock.now(),
      restarts: 0,
      network: { address, captureAddress: address, capturePort: 15001, networkNamespace: `/memory/${id}` },
    };
  }
}
