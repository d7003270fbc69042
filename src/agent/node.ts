/** The node: keeps the workloads of one machine as they are desired, inside its own namespaces. */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import type { EnvoyState } from "../dataplane/envoy.ts";
import { addNetworksScript, deviceName, removeNetworksScript, type WorkloadNetworkPlan } from "../dataplane/network.ts";
import { quote, runScript } from "../dataplane/shell.ts";
import type { Tools } from "../dataplane/tools.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { Addresses } from "./addresses.ts";
import { capturePort, type Desired, type WorkloadSpec, type WorkloadStatus } from "./contract.ts";
import type { DnsView } from "./dns.ts";
import { keepOutcomes } from "./outcomes.ts";
import { Workload } from "./workload.ts";
import { type FilesContext, workloadDir } from "./workload-files.ts";

export interface NodeOptions extends FilesContext {
  readonly tools: Tools;
  readonly logDir: string;
  /** Where outcomes of jobs' runs are kept. */
  readonly outcomeDir: string;
  readonly addressFile: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the node tells the agent; pids are those of the node's own pid namespace. */
export interface NodeStatus {
  readonly generation: number;
  readonly envoy: EnvoyState;
  readonly workloads: readonly WorkloadStatus[];
}

/** Logs of workloads that are gone: so many of the newest stay. */
const oldLogs = 50;
/** Networks made by one script. */
const groupSize = 8;

export class Node {
  readonly #options: NodeOptions;
  readonly #addresses: Addresses;
  readonly #workloads = new Map<string, Workload>();
  /** Those that were told to start: once is enough. */
  readonly #begun = new WeakSet<Workload>();
  readonly #statuses = new Cell<readonly WorkloadStatus[]>([]);
  readonly #generation = new Cell(0);
  #desired: Desired = { generation: 0, workloads: [], names: {} };
  #view: DnsView = { names: {}, callers: new Map() };
  #publishing = false;
  #stopping = false;
  /** Networks are made and removed one after the other: the scripts must not meet. */
  #networks: Promise<unknown> = Promise.resolve();

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#addresses = new Addresses(options.addressFile);
  }

  get statuses(): Readable<readonly WorkloadStatus[]> {
    return this.#statuses;
  }

  get generation(): Readable<number> {
    return this.#generation;
  }

  /** For the DNS server: names, and who is behind an address. */
  get view(): DnsView {
    return this.#view;
  }

  find(id: string): Workload | undefined {
    return this.#workloads.get(id);
  }

  /** Works towards a complete wish. Resolves when the networks of new workloads are there (their processes start by then). */
  async apply(desired: Desired): Promise<void> {
    if (this.#stopping) return;
    this.#desired = desired;
    this.#reconcile();
    await this.#networks;
    this.#generation.set(desired.generation);
  }

  /** Ends every workload, without waiting for connections, within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { clock } = this.#options;
    for (const workload of this.#workloads.values()) workload.dispatch({ kind: "stop", drain: false });
    const until = clock.now() + graceMs;
    while (clock.now() < until && [...this.#workloads.values()].some((workload) => !workload.ended)) await clock.sleep(20);
    for (const workload of this.#workloads.values()) workload.close();
  }

  #reconcile(): void {
    if (this.#stopping) return;
    const wanted = new Map(this.#desired.workloads.map((spec) => [spec.id, spec]));
    for (const [id, workload] of this.#workloads) {
      const spec = wanted.get(id);
      if (spec?.specHash === workload.spec.specHash) this.#follow(workload, spec.state);
      else workload.dispatch({ kind: "stop", drain: true });
    }
    this.#forgetEnded(wanted);
    keepOutcomes(this.#options.outcomeDir, new Set([...wanted.keys(), ...this.#workloads.keys()]));
    const fresh = this.#desired.workloads
      .filter((spec) => spec.state !== "stop" && !this.#workloads.has(spec.id))
      .map((spec) => this.#add(spec))
      .filter((workload) => !workload.ended);
    this.#refreshView();
    // In small groups: the first ones start while the networks of the next are made.
    for (let at = 0; at < fresh.length; at += groupSize) {
      const group = fresh.slice(at, at + groupSize);
      // A failure is told by the start, which tries once more.
      const start = (): void => {
        this.#begin(group);
        this.#publish();
      };
      void this.#makeNetworks(group).then(start, start);
    }
    this.#publish();
  }

  #follow(workload: Workload, state: WorkloadSpec["state"]): void {
    switch (state) {
      case "stop":
        workload.dispatch({ kind: "stop", drain: true });
        return;
      case "run":
        workload.dispatch({ kind: "run" });
        // It may have been held back until now.
        if (workload.spec.job !== undefined) this.#begin([workload]);
        return;
      case "hold":
        return;
      default:
        state satisfies never;
    }
  }

  /** Starts those that are not held back now. */
  #begin(workloads: readonly Workload[]): void {
    const held = new Set(this.#desired.workloads.flatMap(({ id, state }) => (state === "hold" ? [id] : [])));
    for (const workload of workloads.filter((one) => !held.has(one.spec.id) && !this.#begun.has(one))) {
      this.#begun.add(workload);
      workload.begin();
    }
  }

  #add(spec: WorkloadSpec): Workload {
    const workload = new Workload(spec, this.#addresses.take(spec.id), {
      ...this.#options,
      prepare: (one) => (one.networkReady ? Promise.resolve() : this.#makeNetworks([one])),
      changed: () => this.#changed(),
    });
    this.#workloads.set(spec.id, workload);
    return workload;
  }

  /** Ended ones that are no longer wanted, or wanted with another specification. */
  #forgetEnded(wanted: ReadonlyMap<string, WorkloadSpec>): void {
    const gone = [...this.#workloads.values()].filter((workload) => workload.ended && wanted.get(workload.spec.id)?.specHash !== workload.spec.specHash);
    if (gone.length === 0) return;
    for (const workload of gone) {
      this.#workloads.delete(workload.spec.id);
      workload.close();
    }
    const { tools, dir, log } = this.#options;
    const files = gone.map((workload) => `rm -rf ${quote(workloadDir(dir, workload.spec.id))}`).join("\n");
    void this.#inOrder(() => runScript(tools.sh, `${removeNetworksScript(tools, gone.map(planOf))}${files}\n`)).catch((error: unknown) =>
      log.warn("removing networks", { error: String(error) }),
    );
    this.#addresses.keepOnly(new Set([...wanted.keys(), ...this.#workloads.keys()]));
    this.#pruneLogs(new Set([...wanted.keys(), ...this.#workloads.keys()]));
  }

  #makeNetworks(workloads: readonly Workload[]): Promise<void> {
    return this.#inOrder(async () => {
      const missing = workloads.filter((workload) => !workload.networkReady);
      if (missing.length === 0) return;
      const { tools, dir } = this.#options;
      const plans = missing.map(planOf);
      const pipes = missing.flatMap((workload) => ["o", "e"].map((name) => quote(path.join(workloadDir(dir, workload.spec.id), name))));
      const script = `${quote(tools.mkfifo)} -m 600 ${pipes.join(" ")}\n${addNetworksScript(tools, plans)}`;
      try {
        await runScript(tools.sh, script, 15_000 + 200 * missing.length);
      } catch (error) {
        // What was made half-way would be in the way of the next attempt.
        await runScript(tools.sh, `${removeNetworksScript(tools, plans)}rm -f ${pipes.join(" ")}\n`);
        throw error;
      }
      for (const workload of missing) workload.networkReady = true;
    });
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#networks.then(work);
    this.#networks = result.catch(() => undefined);
    return result;
  }

  /** One publication for all that happens in one turn. An end may let something be forgotten or begun anew. */
  #changed(): void {
    if (this.#publishing) return;
    this.#publishing = true;
    setImmediate(() => {
      this.#publishing = false;
      const wanted = new Map(this.#desired.workloads.map((spec) => [spec.id, spec]));
      const leftovers = [...this.#workloads.values()].some((workload) => workload.ended && wanted.get(workload.spec.id)?.specHash !== workload.spec.specHash);
      if (leftovers) this.#reconcile();
      else this.#publish();
    });
  }

  #publish(): void {
    const statuses = [...this.#workloads.values()].map((workload) => workload.status());
    this.#statuses.set(statuses.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  #refreshView(): void {
    const callers = new Map([...this.#workloads.values()].map(({ address, spec }) => [address, { namespace: spec.namespace, egress: spec.egress }]));
    this.#view = { names: this.#desired.names, callers };
  }

  #pruneLogs(keep: ReadonlySet<string>): void {
    const { logDir } = this.#options;
    const groups = new Map<string, string[]>();
    for (const file of readdirSync(logDir)) {
      const id = file.replace(/\.log(\.\d+)?$/, "");
      if (!keep.has(id)) groups.set(id, [...(groups.get(id) ?? []), file]);
    }
    const byAge = [...groups.values()].map((files) => ({
      files,
      at: Math.max(...files.map((file) => statSync(path.join(logDir, file), { throwIfNoEntry: false })?.mtimeMs ?? 0)),
    }));
    for (const { files } of byAge.sort((a, b) => b.at - a.at).slice(oldLogs)) for (const file of files) rmSync(path.join(logDir, file), { force: true });
  }
}

function planOf(workload: Workload): WorkloadNetworkPlan {
  return { address: workload.address, pin: workload.pin, device: deviceName(workload.address), capturePort };
}

/** Makes the folders that the node needs. */
export function makeFolders(...folders: readonly string[]): void {
  for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
}
