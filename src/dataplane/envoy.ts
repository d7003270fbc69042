/**
 * Keeps one Envoy running: starts it, starts it again when it dies, replaces it without losing a request, stops it.
 * Knows nothing about its configuration but the bootstrap.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { backoffMs } from "../lib/backoff.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { serverInfo } from "./admin.ts";
import { type BootstrapOptions, envoyBootstrap, type XdsAddress } from "./bootstrap.ts";
import { type Family, forgetFamily, loadFamily, membersOf, saveFamily } from "./envoy-family.ts";
import { childrenOf, identify, isRunning, type ProcessId, signalProcess } from "./proc.ts";

export interface EnvoyOptions extends BootstrapOptions {
  /** Path of the program. */
  readonly program: string;
  /**
   * Path of `tini`, when Envoy must outlive us: an Envoy that can be replaced ends itself when its parent dies (it asks the kernel for a signal then),
   * so it gets a parent that does nothing else.
   */
  readonly foster?: string;
  /** Folder for its bootstrap, its log and our record of its processes. */
  readonly dir: string;
  readonly concurrency: number;
  /** After a replacement the old process tells its HTTP connections to end during this time. */
  readonly drainSeconds: number;
  /** ... and ends, with what is still open, after this time. More than `drainSeconds`. */
  readonly parentSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EnvoyState {
  readonly phase: "starting" | "running" | "backoff" | "replacing" | "stopped";
  /** As this process's /proc shows it. */
  readonly pid?: number;
  readonly version?: string;
  readonly since: number;
  readonly restarts: number;
  readonly reason?: string;
}

const pollMs = 200;
/** A process that lived so long had no fault at start: the next restart is immediate again. */
const stableMs = 10_000;
/** After processes that ended soon. */
const restartWaits = { firstMs: 500, longestMs: 10_000 };
const replaceTimeoutMs = 30_000;
const logLimitBytes = 10_000_000;

export class Envoy {
  readonly #options: EnvoyOptions;
  readonly #state: Cell<EnvoyState>;
  readonly #stopping = new AbortController();
  #family: Family | undefined;
  #running: Promise<void> | undefined;
  #startedAt = 0;
  /** Starts in a row that did not last. */
  #quickDeaths = 0;
  #replacing: Promise<void> | undefined;

  constructor(options: EnvoyOptions) {
    this.#options = options;
    this.#state = new Cell<EnvoyState>({ phase: "stopped", since: options.clock.now(), restarts: 0 }, (a, b) => JSON.stringify(a) === JSON.stringify(b));
  }

  get state(): Readable<EnvoyState> {
    return this.#state;
  }

  /** Begins to keep it running; takes over what an earlier supervisor left running. */
  start(): void {
    this.#running ??= this.#keepRunning();
  }

  /** Stops every process of it; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const family = this.#family ?? loadFamily(this.#familyFile);
    if (family !== undefined) {
      await endProcesses(membersOf(family), this.#options.clock);
    }
    forgetFamily(this.#familyFile, family?.baseId);
    for (const file of [this.#options.adminSocket, this.#bootstrapFile, this.#baseIdFile]) rmSync(file, { force: true });
    this.#change("stopped", {});
  }

  /**
   * Puts a new process in the place of the running one; resolves when the new one has its configuration and takes the connections.
   * Connections of the old one end by themselves within `drainSeconds` (HTTP) or `parentSeconds`, and until then the next replacement waits. Throws when that is not possible; the old one goes on then.
   */
  replace(): Promise<void> {
    this.#replacing ??= this.#replace().finally(() => (this.#replacing = undefined));
    return this.#replacing;
  }

  /** Begins the names of its files; an id may have parts. */
  get #stem(): string {
    return this.#options.nodeId.replaceAll("/", "-");
  }

  get #familyFile(): string {
    return path.join(this.#options.dir, `${this.#stem}-envoy.pids`);
  }

  get #bootstrapFile(): string {
    return path.join(this.#options.dir, `${this.#stem}-envoy.json`);
  }

  get #baseIdFile(): string {
    return path.join(this.#options.dir, `${this.#stem}-envoy.base-id`);
  }

  #change(phase: EnvoyState["phase"], more: { readonly pid?: number; readonly version?: string; readonly reason?: string }): void {
    const before = this.#state.get();
    const since = before.phase === phase && before.pid === more.pid ? before.since : this.#options.clock.now();
    this.#state.set({ phase, since, restarts: before.restarts, ...more });
  }

  async #keepRunning(): Promise<void> {
    this.#family = this.#adopt(loadFamily(this.#familyFile));
    if (this.#family !== undefined) {
      this.#options.log.info("found a running Envoy", { id: this.#options.nodeId, pid: this.#family.current.pid });
      this.#startedAt = this.#options.clock.now();
    }
    while (!this.#stopping.signal.aborted) {
      if (this.#family === undefined) await this.#startFresh();
      else if (!isRunning(this.#family.current)) await this.#afterDeath(this.#family);
      else await this.#look(this.#family);
      await this.#options.clock.sleep(pollMs / (this.#state.get().phase === "running" ? 1 : 8), this.#stopping.signal);
    }
  }

  /** A family as an earlier supervisor left it, perhaps in the middle of a start or a replacement. */
  #adopt(found: Family | undefined): Family | undefined {
    if (found === undefined) return undefined;
    const { next, ...rest } = found;
    const family = rest.baseId === 0 ? { ...rest, baseId: readNumber(this.#baseIdFile) ?? 0 } : rest;
    if (next === undefined || !isRunning(next)) return family;
    // It takes over by itself when it has its configuration.
    const endsAt = this.#options.clock.now() + this.#options.parentSeconds * 1000 + replaceTimeoutMs;
    return { ...family, epoch: family.epoch + 1, current: next, retired: [...family.retired, { id: family.current, endsAt }] };
  }

  /** One look at a running process: is it live, did a replaced one overstay. */
  async #look(family: Family): Promise<void> {
    const { clock, adminSocket } = this.#options;
    if (this.#state.get().phase !== "running" && this.#replacing === undefined) {
      const info = await serverInfo(adminSocket);
      if (info?.state === "LIVE" && info.epoch === family.epoch) this.#change("running", { pid: family.current.pid, version: info.version });
      else this.#change("starting", { pid: family.current.pid, reason: "waits for its configuration" });
    }
    const now = clock.now();
    if (now - this.#startedAt > stableMs) this.#quickDeaths = 0;
    const left = family.retired.filter((one) => isRunning(one.id));
    for (const one of left) if (now > one.endsAt) signalProcess(one.id, now > one.endsAt + 5_000 ? "SIGKILL" : "SIGTERM");
    if (left.length !== family.retired.length && this.#family === family) this.#remember({ ...family, retired: left });
  }

  #remember(family: Family): void {
    this.#family = family;
    saveFamily(this.#familyFile, family);
  }

  async #afterDeath(family: Family): Promise<void> {
    const { clock, log, nodeId } = this.#options;
    // During a replacement the new process may already be in charge.
    if (this.#replacing !== undefined) await this.#replacing.catch(() => undefined);
    if (this.#family !== family || this.#stopping.signal.aborted) return;
    log.warn("Envoy died", { id: nodeId, pid: family.current.pid });
    // Without its successor nobody ends a replaced process, and it holds names that a new family needs.
    await endProcesses(
      family.retired.map((one) => one.id),
      clock,
    );
    forgetFamily(this.#familyFile, family.baseId);
    this.#family = undefined;
    this.#state.update((state) => ({ ...state, restarts: state.restarts + 1 }));
    const waitMs = backoffMs(restartWaits, this.#quickDeaths);
    this.#quickDeaths += 1;
    this.#change("backoff", { reason: `ended; last words: ${this.#lastWords()}` });
    await clock.sleep(waitMs, this.#stopping.signal);
  }

  async #startFresh(): Promise<void> {
    const { clock, log, nodeId } = this.#options;
    rmSync(this.#baseIdFile, { force: true });
    const child = this.#spawn(["--use-dynamic-base-id", "--base-id-path", this.#baseIdFile]);
    this.#startedAt = clock.now();
    const id = await this.#identify(child);
    if (id === undefined) {
      this.#state.update((state) => ({ ...state, restarts: state.restarts + 1 }));
      this.#change("backoff", { reason: `cannot start: ${this.#lastWords()}` });
      await clock.sleep(2_000, this.#stopping.signal);
      return;
    }
    log.info("started Envoy", { id: nodeId, pid: id.pid });
    this.#change("starting", { pid: id.pid });
    // At once: who supervises us next must find it, whatever happens to us now.
    this.#remember({ baseId: 0, epoch: 0, current: id, retired: [] });
    let baseId: number | undefined;
    while (baseId === undefined && isRunning(id)) {
      baseId = readNumber(this.#baseIdFile);
      if (baseId === undefined) await clock.sleep(10);
    }
    this.#remember({ baseId: baseId ?? 0, epoch: 0, current: id, retired: [] });
  }

  #spawn(args: readonly string[]): ChildProcess {
    const { program, concurrency, drainSeconds, parentSeconds } = this.#options;
    writeFileSync(this.#bootstrapFile, JSON.stringify(envoyBootstrap(this.#options)));
    const logFile = path.join(this.#options.dir, `${this.#stem}-envoy.log`);
    if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > logLimitBytes) renameSync(logFile, `${logFile}.1`);
    const output = openSync(logFile, "a", 0o600);
    try {
      // A control plane that is away is no news every 200 ms.
      const always = [
        "-c",
        this.#bootstrapFile,
        "--concurrency",
        String(concurrency),
        "-l",
        "warning",
        "--component-log-level",
        "config:error",
        "--drain-strategy",
        "immediate",
      ];
      const times = ["--drain-time-s", String(drainSeconds), "--parent-shutdown-time-s", String(parentSeconds)];
      // Its own session: it outlives us, and a terminal's signals do not reach it.
      const { foster } = this.#options;
      const [file = "", ...words] = [...(foster === undefined ? [] : [foster, "-s", "--"]), program, ...always, ...times, ...args];
      const child = spawn(file, words, { stdio: ["ignore", output, output], detached: true });
      child.on("error", (error) => this.#options.log.error("cannot start Envoy", { error: error.message }));
      child.unref();
      return child;
    } finally {
      closeSync(output);
    }
  }

  /** The Envoy itself: what was started, or its only child. */
  async #identify(child: ChildProcess): Promise<ProcessId | undefined> {
    if (child.pid === undefined || this.#options.foster === undefined) return child.pid === undefined ? undefined : identify(child.pid);
    for (let tries = 0; tries < 200 && identify(child.pid) !== undefined; tries += 1) {
      const pid = childrenOf(child.pid)[0];
      if (pid !== undefined) return identify(pid);
      await this.#options.clock.sleep(5);
    }
    return undefined;
  }

  async #replace(): Promise<void> {
    const { clock, parentSeconds, log, nodeId } = this.#options;
    const old = this.#family;
    if (old === undefined || !isRunning(old.current) || this.#state.get().phase !== "running")
      throw new Error(`${nodeId}: no Envoy runs that could be replaced`);
    if (!(await answers(this.#options.xds))) throw new Error(`${nodeId}: the control plane is not there, a new Envoy would have no configuration`);
    this.#change("replacing", { pid: old.current.pid });
    try {
      await this.#untilRetiredEnded(old);
      const child = this.#spawn(["--restart-epoch", String(old.epoch + 1), "--base-id", String(old.baseId)]);
      const id = await this.#identify(child);
      if (id === undefined) throw new Error(`${nodeId}: cannot start the new Envoy: ${this.#lastWords()}`);
      this.#remember({ ...old, retired: [], next: id });
      await this.#untilLive(id, old.epoch + 1);
      const now = clock.now();
      const retired = { id: old.current, endsAt: now + parentSeconds * 1000 + 2_000 };
      this.#remember({ baseId: old.baseId, epoch: old.epoch + 1, current: id, retired: [retired] });
      log.info("replaced Envoy", { id: nodeId, pid: id.pid, before: old.current.pid });
      this.#change("starting", { pid: id.pid });
    } catch (error) {
      this.#remember(old);
      this.#change("running", { pid: old.current.pid, reason: "the last replacement failed" });
      throw error;
    }
  }

  /**
   * One generation may still finish its work while the next takes over, not two: the one before is waited for. It must not be ended early: its successor
   * asks it to end when its time is over, and aborts when nobody hears that.
   */
  async #untilRetiredEnded(family: Family): Promise<void> {
    while (family.retired.some((one) => isRunning(one.id)) && !this.#stopping.signal.aborted) await this.#options.clock.sleep(50, this.#stopping.signal);
  }

  async #untilLive(id: ProcessId, epoch: number): Promise<void> {
    const { clock, adminSocket, nodeId } = this.#options;
    const until = clock.now() + replaceTimeoutMs;
    for (;;) {
      const info = await serverInfo(adminSocket);
      if (info?.epoch === epoch && info.state === "LIVE") return;
      const problem = !isRunning(id)
        ? `the new Envoy ended: ${this.#lastWords()}`
        : clock.now() > until
          ? "the new Envoy got no configuration in time"
          : undefined;
      if (problem !== undefined) {
        await endProcesses([id], clock);
        throw new Error(`${nodeId}: ${problem}`);
      }
      await clock.sleep(20, this.#stopping.signal);
    }
  }

  #lastWords(): string {
    try {
      const lines = readFileSync(path.join(this.#options.dir, `${this.#stem}-envoy.log`), "utf8")
        .trim()
        .split("\n");
      return (lines.findLast((line) => /\[(critical|error)\]/.test(line)) ?? lines.at(-1) ?? "").slice(0, 300);
    } catch {
      return "none";
    }
  }
}

/** Ends processes: SIGTERM, then SIGKILL after two seconds. Resolves when all are gone. */
export async function endProcesses(ids: readonly ProcessId[], clock: Clock): Promise<void> {
  for (const id of ids) signalProcess(id, "SIGTERM");
  const killAt = clock.now() + 2_000;
  while (ids.some(isRunning)) {
    if (clock.now() > killAt) for (const id of ids) signalProcess(id, "SIGKILL");
    await clock.sleep(20);
  }
}

function readNumber(file: string): number | undefined {
  try {
    const text = readFileSync(file, "utf8").trim();
    return /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Says whether somebody accepts connections where a control plane should be. */
export function answers(xds: XdsAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = xds.kind === "socket" ? connect(xds.path) : connect(xds.port, xds.host);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
