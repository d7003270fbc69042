/**
 * Brings the pods of the node to where the newest order wants them, and keeps them there: pins namespaces, has each pod settled, reports.
 * Knows neither Envoy nor the control plane.
 */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import { inTurns } from "../../lib/in-turns.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { GuardReport, NodeOrder, NodeReport, PodOrder, PodReport } from "./contract.ts";
import type { FoundPods } from "./find-pods.ts";
import type { Memory } from "./memory.ts";
import type { PodNetwork } from "./pod-network.ts";
import { notServing, servingSeconds } from "./pod-rules.ts";
import { failPod, newPodState, type PodState, reportPod } from "./pod-state.ts";
import { nextStep, type PodStep, type PodView, quietMs, type WantedPod } from "./pod-steps.ts";
import { settlePod } from "./settle-pod.ts";

/** A pod that starts now and whose label or namespace says that it is in the mesh. */
export interface GuardedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  /** Files that lead to its namespace, best first. */
  readonly sources: readonly string[];
}

export interface PodKeeperOptions {
  readonly node: string;
  readonly network: PodNetwork;
  readonly find: (uids: ReadonlySet<string>) => FoundPods;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly log: Log;
}

const tickMs = 1_000;
/** How often sandboxes that were made anew, and rules of the node that somebody flushed, are looked for. */
const lookMs = 10_000;
const atOnce = 8;

export class PodKeeper {
  readonly #options: PodKeeperOptions;
  readonly #report: Cell<NodeReport>;
  readonly #pods = new Map<string, PodState>();
  readonly #guarded = new Map<string, GuardedPod>();
  /** Where the runtime said that a pod's namespace is, until the next look; a pod that is known may have a new sandbox. */
  readonly #told = new Map<string, readonly string[]>();
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  #order: NodeOrder;
  /** An order of this process's life, not the remembered one. */
  #worked = 0;
  #guard: GuardReport = { state: "absent", reason: "not tried yet" };
  #nodeAddresses: string | undefined;
  #problem: string | undefined;
  #lastLook = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  readonly #looked = new AbortController();

  constructor(options: PodKeeperOptions) {
    this.#options = options;
    const { order, guarded } = options.memory.load();
    this.#order = order;
    for (const pod of guarded) this.#guarded.set(pod.uid, pod);
    // Also of pods that left while no agent was here: their rules must go.
    for (const pod of [...order.pods, ...guarded]) this.#state(pod.uid);
    for (const pin of options.network.pins()) this.#state(pin.uid).pin = pin;
    this.#report = new Cell<NodeReport>(this.#describe(), (a, b) => JSON.stringify(a) === JSON.stringify(b));
  }

  get report(): Readable<NodeReport> {
    return this.#report;
  }

  /** Aborts after the first look: whatever was remembered is pinned now, as far as it still runs. */
  get looked(): AbortSignal {
    return this.#looked.signal;
  }

  /** Namespaces whose pods are in the mesh, as last told. */
  get meshNamespaces(): readonly string[] {
    return this.#order.meshNamespaces;
  }

  /** Begins; what was remembered holds until an order comes. */
  start(): void {
    this.#running ??= this.#keepGoing();
  }

  /** Takes the newest order. */
  setOrder(order: NodeOrder): void {
    this.#order = order;
    // Now the control plane knows them; what it says counts.
    for (const { uid } of order.pods) this.#guarded.delete(uid);
    this.#remember();
    this.#wake.abort();
  }

  setGuard(guard: GuardReport): void {
    this.#guard = guard;
    this.#publish();
  }

  /** Captures a pod at its start; resolves with its report when the rules are in or could not be put in, undefined when `signal` aborts first. */
  async capture(pod: GuardedPod, signal: AbortSignal): Promise<PodReport | undefined> {
    const known = this.#order.pods.some((one) => one.uid === pod.uid);
    if (!known) {
      this.#guarded.set(pod.uid, pod);
      this.#remember();
    }
    this.#told.set(pod.uid, pod.sources);
    Object.assign(this.#state(pod.uid), { phase: "searching", isStarting: true } satisfies Partial<PodState>);
    this.#wake.abort();
    while (!signal.aborted) {
      const mine = this.#describe().pods.find((one) => one.uid === pod.uid);
      if (!this.#told.has(pod.uid) && mine !== undefined && mine.phase !== "searching") return mine;
      await this.#options.clock.sleep(10, signal);
    }
    return undefined;
  }

  /** The runtime stopped it before any order named it. */
  forgetGuarded(uid: string): void {
    if (!this.#guarded.delete(uid)) return;
    this.#remember();
    this.#wake.abort();
  }

  /** Who a pod is, as the newest order says; undefined: it does not know the pod. */
  identityOf(uid: string): string | undefined {
    return this.#order.pods.find((pod) => pod.uid === uid)?.identity;
  }

  /** Looks whether somebody accepts connections on a pod's capture ports; false for an unknown pod. */
  async isListening(uid: string): Promise<boolean> {
    const pin = this.#pods.get(uid)?.pin;
    return pin !== undefined && (await this.#options.network.sockets(pin)).listening;
  }

  /** Ends the work; everything stays as it is. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
  }

  /** After `stop`, before our Envoy ends to listen: pods that no other one serves go on without us. `own` is how many sockets of it listen at a port. Never throws. */
  async leave(own: number): Promise<void> {
    const { network, log } = this.#options;
    await inParallel([...this.#pods], async ([uid, { pin, rules }]) => {
      if (pin === undefined || rules.kind !== "captured") return;
      try {
        if ((await network.sockets(pin)).listeners <= own) await network.apply(pin, notServing);
      } catch (error) {
        log.warn("the rules of a pod cannot be told that nobody serves it; they find out", { uid, seconds: servingSeconds, error: messageOf(error) });
      }
    });
  }

  /** After `stop`: from now on new connections go past us. Redirected ones go on. */
  async letGo(): Promise<void> {
    await this.#release({ now: this.#options.clock.now() });
  }

  /** After `letGo`: takes everything out of pods and node. Never throws; what failed is logged. */
  async release(): Promise<void> {
    const { clock } = this.#options;
    await this.#release({ now: clock.now(), open: 0 });
    await clock.sleep(quietMs);
    await this.#release({ now: Number.POSITIVE_INFINITY, open: 0 });
    for (const pin of this.#options.network.pins()) await this.#options.network.unpin(pin);
    await this.#options.network.releaseNode();
    this.#options.memory.forget();
  }

  /** One step for each pod; as far as it goes when nobody is to be waited for (`open` is given). */
  async #release(view: Pick<PodView, "now" | "open">): Promise<void> {
    const step = ({ rules }: PodState): PodStep => nextStep({ ...view, rules });
    await inParallel([...this.#pods], async ([uid, state]) => {
      try {
        for (let next = step(state); next.do === "apply" && state.pin !== undefined; next = step(state)) {
          await this.#options.network.apply(state.pin, next.rules);
          state.rules = next.becomes;
          if (view.open === undefined) return;
        }
      } catch (error) {
        this.#options.log.error("cannot take the rules out of a pod", { uid, error: messageOf(error) });
      }
    });
  }

  async #keepGoing(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#pass(this.#wake.signal);
      } catch (error) {
        this.#options.log.error("a look at the pods failed", { error: messageOf(error) });
      }
      this.#publish();
      this.#looked.abort();
      if (!this.#stopping.signal.aborted) await this.#options.clock.sleep(tickMs, this.#wake.signal);
    }
  }

  /** One look at everything. Ends early when there is a newer order. */
  async #pass(newer: AbortSignal): Promise<void> {
    const order = this.#order;
    const wanted = new Map<string, WantedPod>(
      [...this.#guarded.values()].map((pod) => [pod.uid, { address: pod.address, probePorts: [], mode: "strict", capture: true }]),
    );
    for (const pod of order.pods) wanted.set(pod.uid, pod);
    for (const uid of wanted.keys()) this.#state(uid);
    await this.#prepareNode([...wanted.values()]);
    await this.#findNamespaces();
    await inParallel([...this.#pods], async ([uid, state]) => {
      if (newer.aborted) return;
      await this.#settle(uid, state, wanted.get(uid));
      this.#publish();
    });
    if (!newer.aborted) this.#worked = order.generation;
  }

  async #prepareNode(pods: readonly WantedPod[]): Promise<void> {
    const addresses = pods.map((pod) => pod.address).filter((address) => !address.includes(":"));
    const key = JSON.stringify([...addresses].sort());
    if (key === this.#nodeAddresses && this.#options.clock.now() - this.#lastLook < lookMs) return;
    try {
      this.#problem = await this.#options.network.prepareNode(addresses);
      this.#nodeAddresses = key;
    } catch (error) {
      this.#problem = `the node's own rules cannot be set: ${messageOf(error)}`;
      this.#nodeAddresses = undefined;
    }
  }

  /** Pins what is not pinned, and what lives in another namespace than before. */
  async #findNamespaces(): Promise<void> {
    const { clock, find } = this.#options;
    const told = [...this.#told];
    await inParallel(told, async ([uid, sources]) => {
      const state = this.#state(uid);
      // The namespace it had is that of a sandbox that ended.
      if (!(await this.#pin(state, uid, sources))) delete state.pin;
      if (this.#told.get(uid) === sources) this.#told.delete(uid);
    });
    const missing = [...this.#pods].filter(([, state]) => state.pin === undefined && state.phase !== "failed").map(([uid]) => uid);
    const isTime = clock.now() - this.#lastLook >= lookMs;
    if (missing.length === 0 && !isTime) return;
    if (isTime) this.#lastLook = clock.now();
    const found = find(new Set(isTime ? this.#pods.keys() : missing));
    await inParallel([...this.#pods], async ([uid, state]) => {
      const process = found.byUid.get(uid);
      if (process !== undefined && process.inode !== state.pin?.inode) await this.#pin(state, uid, [`/proc/${process.pid}/ns/net`]);
      else if (state.pin === undefined && this.#guarded.has(uid)) await this.#pin(state, uid, this.#guarded.get(uid)?.sources ?? []);
      if (state.pin !== undefined || state.phase === "failed") return;
      if (found.onNodeNetwork.has(uid)) failPod(state, "it uses the node's own network (hostNetwork)");
      else state.phase = "searching";
    });
  }

  async #pin(state: PodState, uid: string, sources: readonly string[]): Promise<boolean> {
    const { network } = this.#options;
    for (const source of sources) {
      try {
        const pin = await network.pin(uid, source);
        if (pin.inode !== state.pin?.inode) {
          // Where there are none, nothing is to be taken out: the pod stays as it is until it is captured.
          state.rules = { kind: (await network.hasRules(pin)) ? "unknown" : "none" };
          state.servedAt = Number.NEGATIVE_INFINITY;
        }
        state.pin = pin;
        delete state.reason;
        return true;
      } catch (error) {
        failPod(state, `its network namespace cannot be pinned: ${messageOf(error)}`);
      }
    }
    return false;
  }

  async #settle(uid: string, state: PodState, wanted: WantedPod | undefined): Promise<void> {
    const { network, clock, log } = this.#options;
    if (state.pin === undefined) {
      if (wanted === undefined) this.#pods.delete(uid);
      return;
    }
    const nodeProblem = this.#nodeAddresses === undefined ? (this.#problem ?? "the node's own rules are not set") : undefined;
    const outcome = await settlePod(state, state.pin, { uid, wanted, isGuarded: this.#guarded.has(uid), nodeProblem, network, clock, log });
    if (outcome === "over") await this.#forget(uid);
  }

  async #forget(uid: string): Promise<void> {
    for (const pin of this.#options.network.pins().filter((one) => one.uid === uid)) await this.#options.network.unpin(pin);
    this.#pods.delete(uid);
  }

  #state(uid: string): PodState {
    let state = this.#pods.get(uid);
    if (state === undefined) this.#pods.set(uid, (state = newPodState()));
    return state;
  }

  #remember(): void {
    this.#options.memory.save({ order: this.#order, guarded: [...this.#guarded.values()] });
  }

  #publish(): void {
    this.#report.set(this.#describe());
  }

  #describe(): NodeReport {
    const reportOf = (uid: string, more?: Partial<PodReport>): PodReport => reportPod(uid, this.#state(uid), more);
    const ordered: readonly PodOrder[] = this.#order.pods;
    return {
      node: this.#options.node,
      generation: this.#worked,
      pods: [
        ...ordered.map(({ uid }) => reportOf(uid)),
        ...[...this.#guarded.values()].map(({ uid, namespace, name, address }) => reportOf(uid, { guarded: { namespace, name, address } })),
      ],
      guard: this.#guard,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }
}

/** Runs `work` for all items, a few at once. Rejects when one does. */
function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  return inTurns(
    items.map((item) => () => work(item)),
    atOnce,
  );
}
