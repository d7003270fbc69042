/** The loop that everything hangs on: whenever anything changed, one step from what is declared and what runs to what should. */
import type { Observed } from "../api/context.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { runLoop } from "../lib/loop.ts";
import type { DeclaredSnapshot, LocalStore, Write } from "../model/declared.ts";
import type { AppKey } from "../model/names.ts";
import type { Weights } from "../model/weights.ts";
import type { Workload } from "../model/workload.ts";
import type { GatewaySettings } from "../model/world.ts";
import type { PlatformOrder, Provider, ReplicaOrder, RunOrder } from "../providers/provider.ts";
import type { Registry } from "../registry/registry.ts";
import { type JobsInput, jobNow, nextJobLookAt, stepJobs, wishFor } from "../release/jobs.ts";
import { type Replica, replace, servingReplicas } from "../release/replace.ts";
import { nextTickAt, weightsAt } from "../release/rollout.ts";
import { capturedNow, type EnvoyState, knowledgeOf } from "./envoy-link.ts";
import { WantedJobs } from "./wanted-jobs.ts";
import { templateKey, WantedVersions } from "./wanted-versions.ts";

export interface ControlOptions {
  readonly store: LocalStore;
  readonly provider: Provider;
  readonly registry: Registry;
  readonly envoy: { readonly state: Readable<EnvoyState> };
  readonly gateway: GatewaySettings;
  readonly clock: Clock;
  readonly log: Log;
}

export class ControlLoop {
  readonly #options: ControlOptions;
  readonly #wanted = new WantedVersions();
  readonly #jobs = new WantedJobs();
  readonly #observed = new Cell<Observed | undefined>(undefined);
  #replicas: ReadonlyMap<string, Replica> = new Map();
  #ordered = { text: "", generation: 0 };

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** What every step left behind; undefined until the platform was heard of. */
  get observed(): Readable<Observed | undefined> {
    return this.#observed;
  }

  /** Works until `signal` aborts. */
  start(signal: AbortSignal): Promise<void> {
    const { store, provider, envoy, clock, log } = this.#options;
    return runLoop({ sources: [store.snapshot, provider.state, envoy.state], clock, log, step: () => this.#step() }, signal);
  }

  /** Answers when to look again although nothing happened. */
  #step(): number | undefined {
    const { provider, clock, registry, envoy, gateway } = this.#options;
    const platform = provider.state.get();
    // Without knowing what runs, a World would have no endpoints: Envoy would be told to forget everything.
    if (platform === undefined) return undefined;
    const now = clock.now();
    const { workloads, runs = none } = platform;
    const before = this.#options.store.snapshot.get();
    const wanted = this.#wanted.of(before);
    const knowledge = knowledgeOf(envoy.state.get(), [...workloads.keys(), ...runs.keys(), ...this.#replicas.keys()]);
    const replacement = replace(this.#replicas, { wanted, workloads, envoy: knowledge, now });
    this.#replicas = replacement.replicas;
    const wantedJobs = this.#jobs.of(before);
    const isUpToDate = platform.connected && platform.generation >= this.#ordered.generation;
    const jobsOf = (snapshot: DeclaredSnapshot): JobsInput => {
      return { jobs: wantedJobs, runs: snapshot.objects.run, workloads: runs, envoy: knowledge, isUpToDate, now };
    };
    const declared = this.#keep([...this.#wanted.templateWrites(before, this.#replicas.values()), ...stepJobs(jobsOf(before))], before);
    const jobs = jobsOf(declared);
    const apps = [...declared.objects.app.values()].map((object) => object.value);
    const { world } = registry.update({
      declared,
      weights: new Map([...declared.objects.app].map(([key, { value }]): [AppKey, Weights] => [key as AppKey, weightsAt(value, now)])),
      serving: servingReplicas(this.#replicas, workloads),
      captured: [...this.#captured(declared, workloads), ...capturedRuns(declared, runs)],
      gateway,
    });
    this.#order(declared, jobs);
    const ticks = [...apps.map((app) => nextTickAt(app, now)), replacement.wakeAt, nextJobLookAt(jobs)].filter((at) => at !== undefined);
    const { connected, reason, generation } = platform;
    const replicas = { wanted, replicas: this.#replicas, workloads, envoy: knowledge };
    const upToDate = connected && generation >= this.#ordered.generation;
    this.#observed.set({
      declared,
      world,
      replicas,
      jobs: new Map([...wantedJobs].map(([key, wanted]) => [key, jobNow(wanted, jobs)])),
      runs,
      ackedRevision: envoy.state.get().ackedRevision,
      refusals: envoy.state.get().refusals,
      platform: { connected, upToDate, ...(reason === undefined ? {} : { reason }) },
    });
    return ticks.length === 0 ? undefined : Math.min(...ticks);
  }

  /** Writes down what replicas and runs are made from before any of them starts: they may outlive their declaration, and us. */
  #keep(writes: readonly Write[], declared: DeclaredSnapshot): DeclaredSnapshot {
    if (writes.length === 0) return declared;
    const result = this.#options.store.commitNow(writes);
    if (result.ok) return result.value;
    throw new Error(`templates and runs: ${result.problems.map((problem) => problem.message).join("; ")}`);
  }

  #captured(declared: DeclaredSnapshot, workloads: ReadonlyMap<string, Workload>): readonly { readonly workload: Workload; readonly egress: boolean }[] {
    return [...workloads.values()]
      .filter((workload) => workload.network !== undefined && workload.phase !== "exited")
      .map((workload) => ({ workload, egress: declared.objects.template.get(templateKey(workload.key, workload.hash))?.value.service.egress ?? false }));
  }

  #order(declared: DeclaredSnapshot, jobs: JobsInput): void {
    const replicas = [...this.#replicas.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const names = namesByNamespace(declared);
    const captured = capturedNow(this.#options.envoy.state.get());
    const runs = [...declared.objects.run.values()].flatMap(({ value }): RunOrder[] => {
      const { id, hash, template } = value;
      return template === undefined ? [] : [{ id, hash, template, state: wishFor(value, { ...jobs, captured }) }];
    });
    const text = JSON.stringify([
      replicas.map(({ id, hash, stage }) => [id, hash, stage === "stopping"]),
      runs.map(({ id, hash, state }) => [id, hash, state]),
      names,
    ]);
    if (text === this.#ordered.text) return;
    const orders = replicas.flatMap(({ id, index, hash, key, stage }): ReplicaOrder[] => {
      const template = declared.objects.template.get(templateKey(key, hash))?.value;
      // Without a template nobody can say what it is: left out, it is drained and ended.
      return template === undefined ? [] : [{ id, index, template, state: stage === "stopping" ? "stop" : "run" }];
    });
    const order: PlatformOrder = { replicas: orders, runs, names };
    this.#ordered = { text, generation: this.#options.provider.apply(order) };
  }
}

const none: ReadonlyMap<string, Workload> = new Map();

function capturedRuns(declared: DeclaredSnapshot, runs: ReadonlyMap<string, Workload>): readonly { readonly workload: Workload; readonly egress: boolean }[] {
  const egress = new Map([...declared.objects.run.values()].map(({ value }) => [value.id, value.template?.job.egress ?? false]));
  return [...runs.values()]
    .filter((workload) => workload.network !== undefined && workload.phase !== "exited")
    .map((workload) => ({ workload, egress: egress.get(workload.id) ?? false }));
}

function namesByNamespace(declared: DeclaredSnapshot): PlatformOrder["names"] {
  const names: Record<string, Record<string, string>> = {};
  for (const [key, { value }] of [...declared.objects.address].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const cut = key.indexOf("/");
    (names[key.slice(0, cut)] ??= {})[key.slice(cut + 1)] = value.ip;
  }
  // A router's own hosts are full names: everybody inside finds the router by them, too.
  for (const { value: router } of declared.objects.router.values()) {
    const ip = names[router.namespace]?.[router.name];
    if (ip === undefined) continue;
    for (const host of router.hosts.filter((name) => !name.startsWith("*"))) for (const table of Object.values(names)) table[host] ??= ip;
  }
  return names;
}
