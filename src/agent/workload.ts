/** One workload: carries out what its state machine asks for. All decisions are in `supervisor-state.ts`. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { constants as osConstants } from "node:os";
import path from "node:path";
import { childrenOf, listening, openConnections, parseTcp } from "../dataplane/proc.ts";
import { enterCommand, sandboxCommand } from "../dataplane/sandbox.ts";
import { runProgram } from "../dataplane/shell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { messageOf } from "../lib/message-of.ts";
import { capturePort, type WorkloadNetwork, type WorkloadSpec, type WorkloadStatus } from "./contract.ts";
import { stepJob } from "./job-state.ts";
import { LineSplitter, LogWriter, type StreamLetter } from "./log-writer.ts";
import { logFile } from "./logs.ts";
import { readOutcome, writeOutcome } from "./outcomes.ts";
import { probeOnce } from "./probe.ts";
import { type Effect, type Machine, newMachine, type ProbeName, phaseOf, readyProbe, step, type WorkloadEvent } from "./supervisor-state.ts";
import { type FilesContext, pinFile, workloadDir, writeWorkloadFiles } from "./workload-files.ts";

export interface WorkloadContext extends FilesContext {
  readonly logDir: string;
  /** Where outcomes of jobs' runs are kept. */
  readonly outcomeDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes the network at need. */
  readonly prepare: (workload: Workload) => Promise<void>;
  readonly changed: () => void;
}

/** How often the connections of a draining workload are counted. */
const drainLookMs = 50;

export class Workload {
  readonly spec: WorkloadSpec;
  readonly address: string;
  networkReady = false;
  readonly #context: WorkloadContext;
  readonly #writer: LogWriter;
  readonly #timers = new Set<NodeJS.Timeout>();
  #machine: Machine;
  #child: ChildProcess | undefined;
  /** Counts starts: answers to questions of an earlier run are dropped. */
  #run = 0;
  #startedAt: number | undefined;

  constructor(spec: WorkloadSpec, address: string, context: WorkloadContext) {
    this.spec = spec;
    this.address = address;
    this.#context = context;
    this.#machine = startingPoint(spec, context);
    this.#writer = new LogWriter(logFile(context.logDir, spec.id));
    mkdirSync(workloadDir(context.dir, spec.id), { recursive: true });
  }

  get pin(): string {
    return pinFile(this.#context.dir, this.spec.id);
  }

  get ended(): boolean {
    return this.#machine.stage.kind === "exited" && this.#child === undefined;
  }

  /** Begins, once the network is there (or to try again to make it). */
  begin(): void {
    this.dispatch({ kind: "prepared" });
  }

  dispatch(event: WorkloadEvent): void {
    const before = this.#machine;
    const { spec } = this;
    const now = this.#context.clock.now();
    const { machine, effects } = spec.job === undefined ? step(before, event, spec, now) : stepJob(before, event, spec, spec.job, now);
    this.#machine = machine;
    if (machine.outcome !== undefined && before.outcome === undefined) this.#keepOutcome(machine, machine.outcome);
    if (machine.reason !== undefined && machine.reason !== before.reason && machine.stage.kind !== before.stage.kind) this.#remark(machine.reason);
    for (const effect of effects) this.#carryOut(effect);
    if (machine !== before) this.#context.changed();
  }

  status(): WorkloadStatus {
    const { spec } = this;
    const { stage, since, restarts, lastExit, reason, outcome } = this.#machine;
    const network: WorkloadNetwork = { address: this.address, captureAddress: this.address, capturePort, networkNamespace: this.pin };
    return {
      id: spec.id,
      specHash: spec.specHash,
      namespace: spec.namespace,
      app: spec.app,
      version: spec.version,
      phase: phaseOf(stage),
      since,
      restarts,
      ...(this.networkReady ? { network } : {}),
      ...(this.#startedAt === undefined ? {} : { startedAt: this.#startedAt }),
      ...(lastExit === undefined ? {} : { lastExit }),
      ...(reason === undefined ? {} : { reason }),
      ...(spec.job === undefined ? {} : { job: outcome === undefined ? {} : { outcome } }),
    };
  }

  /** Words that run a command inside, from the node's namespaces; undefined when it does not run. */
  enter(command: readonly string[]): readonly string[] | undefined {
    const pid = this.#init();
    return pid === undefined ? undefined : [...enterCommand(this.#context.tools, { pid, dir: this.spec.dir }), ...command];
  }

  environment(): Readonly<Record<string, string>> {
    return { ...this.#context.defaultEnv, ...this.spec.env };
  }

  /** For the last moment: nothing of it happens any more. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#writer.close();
  }

  /** Process 1 of its namespaces, as the node sees it. */
  #init(): number | undefined {
    return this.#child?.pid === undefined ? undefined : childrenOf(this.#child.pid)[0];
  }

  /** Before anybody is told: who asks for the same again must find it. */
  #keepOutcome({ since, restarts, lastExit, reason }: Machine, outcome: "succeeded" | "failed"): void {
    const said = { ...(lastExit === undefined ? {} : { lastExit }), ...(reason === undefined ? {} : { reason }) };
    writeOutcome(this.#context.outcomeDir, this.spec.id, { specHash: this.spec.specHash, outcome, since, restarts, ...said });
  }

  #remark(text: string): void {
    this.#writer.write("w", [text], this.#context.clock.now());
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #carryOut(effect: Effect): void {
    const run = this.#run;
    switch (effect.kind) {
      case "start":
        void this.#start();
        return;
      case "probe":
        this.#later(effect.inMs, () => void this.#probe(effect.probe, run));
        return;
      case "wake":
        this.#later(effect.inMs, () => this.dispatch({ kind: "woken" }));
        return;
      case "watch-drain":
        this.#watchDrain(0);
        return;
      case "signal":
        void this.#signal(effect.signal);
        return;
      default:
        effect satisfies never;
    }
  }

  async #start(): Promise<void> {
    try {
      await this.#context.prepare(this);
      // A stop may have come meanwhile.
      if (this.#machine.stage.kind !== "pending" && this.#machine.stage.kind !== "backoff") return;
      this.#launch();
      this.dispatch({ kind: "started" });
    } catch (error) {
      this.dispatch({ kind: "start-failed", reason: `cannot be started: ${messageOf(error)}` });
    }
  }

  #launch(): void {
    const { tools, clock } = this.#context;
    const { script, remarks } = writeWorkloadFiles(this.spec, this.#context);
    for (const remark of remarks) this.#remark(remark);
    const [out, err] = [this.#openStream("o"), this.#openStream("e")];
    const [file = "", ...args] = sandboxCommand(tools, this.pin, script);
    // Its own session: no signal of ours reaches it by accident.
    const child = spawn(file, args, { cwd: "/", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }, stdio: ["ignore", out, err], detached: true });
    for (const stream of [out, err]) closeSync(stream);
    child.on("error", (error) => this.#gone(child, null, null, error.message));
    child.on("exit", (code, signal) => this.#gone(child, code, signal));
    this.#child = child;
    this.#run += 1;
    this.#startedAt = clock.now();
  }

  #gone(child: ChildProcess, code: number | null, signal: string | null, problem?: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#run += 1;
    if (problem !== undefined) return this.dispatch({ kind: "start-failed", reason: problem });
    // tini tells the death of its child by a signal as 128 + number.
    const name = code !== null && code > 128 ? Object.entries(osConstants.signals).find(([, number]) => number === code - 128)?.[0] : undefined;
    this.dispatch({ kind: "exited", code: name === undefined ? code : null, signal: name ?? signal });
  }

  /** A named pipe and not a socket: programs may open /dev/stdout. Answers the end for the child. */
  #openStream(letter: StreamLetter): number {
    const fifo = path.join(workloadDir(this.#context.dir, this.spec.id), letter);
    const reader = new Socket({ fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false });
    const splitter = new LineSplitter();
    const write = (lines: readonly string[]): void => this.#writer.write(letter, lines, this.#context.clock.now());
    reader.on("data", (piece: Buffer) => write(splitter.push(piece)));
    reader.on("end", () => write(splitter.flush()));
    reader.on("error", () => undefined);
    return openSync(fifo, constants.O_WRONLY);
  }

  async #probe(name: ProbeName, run: number): Promise<void> {
    const probe = name === "ready" ? readyProbe(this.spec) : this.spec.health[name];
    if (probe === undefined || run !== this.#run || this.#child === undefined) return;
    const { timeoutMs, check } = probe;
    const enter = (command: readonly string[]): readonly string[] => this.enter(command) ?? ["false"];
    const result = await probeOnce(check, { name, address: this.address, timeoutMs, enter, env: this.environment() });
    if (run !== this.#run) return;
    const detail = result.ok || check.kind === "exec" ? result.detail : result.detail + this.#listenHint(check.port);
    this.dispatch({ kind: "probed", probe: name, ok: result.ok, detail });
  }

  /** The commonest mistake has a name: listening for itself alone. */
  #listenHint(port: number): string {
    const pid = this.#init();
    const ports = pid === undefined ? [] : listening(pid).filter((one) => one.port === port);
    return ports.length > 0 && ports.every((one) => one.address.startsWith("127.") || one.address === "::1")
      ? " (it listens on its localhost only; let it listen on 0.0.0.0)"
      : "";
  }

  /** Two looks in a row must find nothing: a request can arrive between the last answer and the next connection. */
  #watchDrain(quiet: number): void {
    if (this.#machine.stage.kind !== "draining") return;
    const open = openConnections(parseTcp(readFileSync("/proc/net/tcp", "latin1")), this.address);
    if (open === 0 && quiet >= 1) return this.dispatch({ kind: "drained" });
    this.#later(drainLookMs, () => this.#watchDrain(open === 0 ? quiet + 1 : 0));
  }

  /** SIGKILL ends all of its namespaces; anything else goes to the program through tini, once tini is there. */
  async #signal(signal: string): Promise<void> {
    const run = this.#run;
    for (let tries = 0; tries < 50 && this.#run === run && this.#child !== undefined; tries += 1) {
      const pid = this.#init();
      if (pid !== undefined && (signal === "SIGKILL" || nameOf(pid) === "tini")) {
        await runKill(pid, signal, this.#context);
        return;
      }
      await this.#context.clock.sleep(10);
    }
  }
}

/** Where a workload begins; a job's run that has ended stays ended, whoever ended since. */
function startingPoint(spec: WorkloadSpec, { outcomeDir, clock }: WorkloadContext): Machine {
  const fresh = newMachine(clock.now());
  const known = spec.job === undefined ? undefined : readOutcome(outcomeDir, spec.id);
  if (known === undefined || known.specHash !== spec.specHash) return fresh;
  const { specHash: _specHash, ...said } = known;
  return { ...fresh, ...said, stage: { kind: "exited" } };
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

async function runKill(pid: number, signal: string, context: WorkloadContext): Promise<void> {
  try {
    process.kill(pid, signal);
  } catch (error) {
    context.log.warn("signal", { pid, signal, error: messageOf(error) });
    // A name that Node does not know (SIGRTMIN+3) is still one that `kill` may know.
    await runProgram([context.tools.sh, "-c", 'kill -s "${0#SIG}" "$1"', signal, String(pid)], { timeoutMs: 1_000 }).catch(() => undefined);
  }
}
