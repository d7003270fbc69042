import assert from "node:assert/strict";
import { test } from "node:test";
import type { Declared, KeptRun } from "../model/declared.ts";
import type { AppName, Namespace, VersionKey, VersionName } from "../model/names.ts";
import type { Job } from "../model/types.ts";
import type { Workload } from "../model/workload.ts";
import { type JobsInput, jobNow, nextJobLookAt, stepJobs, type WantedJob, wishFor } from "./jobs.ts";
import { envoyPatienceMs } from "./replace.ts";

const namespace = "default" as Namespace;
const minute = 60_000;
/** On the minute. */
const start = Date.parse("2026-01-01T10:00:00Z");
const everyMinute = { cron: "* * * * *", timeZone: "UTC" };

/** Jobs, a store of runs and a platform, whose time a test moves. */
class Rig {
  now = start;
  /** Envoy listens wherever there is a network. */
  listens = true;
  readonly workloads = new Map<string, Workload>();
  runs: ReadonlyMap<string, Declared<"run">> = new Map();
  jobs: ReadonlyMap<string, WantedJob> = new Map();
  /** What was started, by the causes of runs. */
  readonly started: string[] = [];

  declare(hash: string, changes: Partial<Job> = {}, restarts = 0): void {
    const job: Job = {
      namespace,
      name: "work" as AppName,
      command: ["work"],
      dir: "/",
      env: {},
      mounts: [],
      graceMs: 0,
      stopSignal: "SIGTERM",
      egress: false,
      retries: 0,
      concurrency: "forbid",
      keep: 2,
      ...changes,
    };
    const object: Declared<"job"> = {
      kind: "job",
      key: "default/work",
      generation: 1,
      version: 1,
      createdAt: start,
      updatedAt: this.now,
      value: { job, restarts },
    };
    this.jobs = new Map([[object.key, { key: object.key, object, hash, template: { job, configs: [], secrets: [] } }]]);
  }

  get input(): JobsInput & { readonly captured: ReadonlySet<string> } {
    const there = new Set([...this.workloads.values()].filter(({ phase }) => phase !== "exited").map(({ id }) => id));
    const captured = this.listens ? there : new Set<string>();
    return {
      jobs: this.jobs,
      runs: this.runs,
      workloads: this.workloads,
      envoy: { mayCapture: captured },
      isUpToDate: true,
      now: this.now,
      captured,
    };
  }

  /** As often as it takes until nothing more happens. */
  settle(): this {
    for (let round = 0; round < 10; round += 1) {
      const writes = stepJobs(this.input);
      const next = new Map(this.runs);
      for (const write of writes) {
        if (write.op === "delete") next.delete(write.key);
        else if (write.kind === "run")
          next.set(write.key, { kind: "run", key: write.key, generation: 1, version: 1, createdAt: 0, updatedAt: 0, value: write.value });
      }
      this.runs = next;
      const moved = this.#platform();
      if (writes.length === 0 && !moved) return this;
    }
    throw new Error("it never settles");
  }

  /** Does what it is asked; ends what is to stop. */
  #platform(): boolean {
    let moved = false;
    const ordered = [...this.runs.values()].filter(({ value }) => value.template !== undefined);
    for (const id of this.workloads.keys()) if (!ordered.some(({ value }) => value.id === id)) moved = this.workloads.delete(id);
    for (const { value: run } of ordered) {
      const wish = wishFor(run, this.input);
      const workload = this.workloads.get(run.id);
      if (workload === undefined && wish !== "stop") moved = this.#set(run, "pending");
      else if (workload?.phase === "pending" && wish === "run") {
        this.started.push(run.cause);
        moved = this.#set(run, "starting");
      } else if (workload !== undefined && workload.phase !== "exited" && wish === "stop") moved = this.#set(run, "exited");
    }
    return moved;
  }

  #set(run: KeptRun, phase: Workload["phase"], more: Partial<Workload> = {}): true {
    const names = { namespace, app: run.job, version: "job" as VersionName, key: "default/work@job" as VersionKey };
    this.workloads.set(run.id, { id: run.id, ...names, hash: run.hash, phase, since: this.now, restarts: 0, ...more });
    return true;
  }

  /** Ends all that goes on. */
  end(outcome: "succeeded" | "failed"): this {
    for (const { value } of this.runs.values())
      if (value.state === "running") this.#set(value, "exited", { outcome, ...(outcome === "failed" ? { reason: "exited with code 1" } : {}) });
    return this.settle();
  }

  /** Runs as `CAUSE STATE`, newest first. */
  get shown(): readonly string[] {
    return [...this.runs.values()]
      .map(({ value }) => value)
      .toSorted((a, b) => b.number - a.number)
      .map(({ cause, state }) => `${cause} ${state}`);
  }

  get state(): string {
    const [wanted] = this.jobs.values();
    return wanted === undefined ? "" : jobNow(wanted, this.input).state;
  }
}

test("a job runs once for what it is made from, and again for something else", () => {
  const rig = new Rig();
  rig.declare("h1");
  assert.equal(rig.state, "waiting");
  rig.settle();
  assert.deepEqual([rig.shown, rig.state], [["h1 running"], "running"]);
  rig.end("succeeded");
  assert.deepEqual([rig.shown, rig.state, rig.workloads.size], [["h1 succeeded"], "succeeded", 0]);
  rig.declare("h2");
  rig.settle().end("succeeded").settle();
  assert.deepEqual(rig.started, ["h1", "h2"]);
});

test("what succeeded before is not run again when it comes back; what failed is", () => {
  const rig = new Rig();
  rig.declare("h1");
  rig.settle().end("succeeded");
  rig.declare("h2");
  rig.settle().end("failed");
  assert.equal(rig.state, "failed");
  rig.settle();
  assert.deepEqual(rig.started, ["h1", "h2"], "a failure stays one");
  rig.declare("h1");
  rig.settle();
  assert.deepEqual([rig.state, rig.started], ["succeeded", ["h1", "h2"]]);
  rig.declare("h2");
  rig.settle();
  assert.deepEqual([rig.state, rig.started], ["running", ["h1", "h2", "h2"]]);
});

test("one run at a time: what runs for something else is ended first", () => {
  const rig = new Rig();
  rig.declare("h1");
  rig.settle();
  rig.declare("h2");
  rig.settle();
  assert.deepEqual(
    [rig.shown, rig.started],
    [
      ["h2 running", "h1 stopped"],
      ["h1", "h2"],
    ],
  );
});

test("a run that was written down before its job went away ends without having begun", () => {
  const rig = new Rig();
  rig.declare("h1");
  rig.listens = false;
  rig.settle();
  assert.deepEqual([rig.shown, rig.started], [["h1 running"], []]);
  rig.jobs = new Map();
  rig.settle();
  assert.deepEqual([rig.shown, rig.started, rig.workloads.size], [[], [], 0]);
});

test("it starts when Envoy listens where it connects; an Envoy that stays away holds nobody back for long", () => {
  const rig = new Rig();
  rig.declare("h1");
  rig.listens = false;
  rig.settle();
  assert.deepEqual(rig.started, []);
  assert.equal(nextJobLookAt(rig.input), start + envoyPatienceMs);
  rig.now += envoyPatienceMs;
  rig.settle();
  assert.deepEqual(rig.started, ["h1"]);
});

test("so many that ended are kept", () => {
  const rig = new Rig();
  for (const hash of ["h1", "h2", "h3", "h4"]) {
    rig.declare(hash);
    rig.settle().end("succeeded").settle();
  }
  assert.deepEqual(rig.shown, ["h4 succeeded", "h3 succeeded"]);
});

test("by the clock: nothing before its time, each time once", () => {
  const rig = new Rig();
  rig.now += 1;
  rig.declare("h1", { schedule: everyMinute });
  rig.settle();
  assert.deepEqual([rig.started, rig.state, nextJobLookAt(rig.input)], [[], "scheduled", start + minute]);
  rig.now = start + minute;
  rig.settle();
  assert.equal(rig.state, "running");
  rig.end("failed").settle();
  assert.deepEqual([rig.started, rig.state], [["at 2026-01-01T10:01:00.000Z"], "scheduled"]);
  rig.now = start + 2 * minute;
  rig.settle();
  assert.deepEqual(rig.started.at(-1), "at 2026-01-01T10:02:00.000Z");
});

test("of the times that passed while nobody looked the newest is made up for, once", () => {
  const rig = new Rig();
  rig.declare("h1", { schedule: everyMinute });
  rig.now += minute;
  rig.settle().end("succeeded");
  rig.now += 600 * minute + 5_000;
  rig.settle().end("succeeded").settle();
  assert.deepEqual(rig.started, ["at 2026-01-01T10:01:00.000Z", "at 2026-01-01T20:01:00.000Z"]);
});

test("a time that comes while a run goes on: waits for its end, runs beside it, or ends it", () => {
  const rigs = (["forbid", "allow", "replace"] as const).map((concurrency) => {
    const rig = new Rig();
    rig.declare("h1", { schedule: everyMinute, concurrency });
    for (const _ of [1, 2, 3]) {
      rig.now += minute;
      rig.settle();
    }
    return rig;
  });
  const times = ["at 2026-01-01T10:01:00.000Z", "at 2026-01-01T10:02:00.000Z", "at 2026-01-01T10:03:00.000Z"];
  const [forbid, allow, replace] = rigs;
  assert.deepEqual(forbid?.shown, [`${times[0]} running`]);
  forbid.end("succeeded");
  assert.deepEqual(forbid.started, [times[0], times[2]], "the newest of those that waited");
  assert.deepEqual(
    allow?.shown,
    times.toReversed().map((time) => `${time} running`),
  );
  assert.deepEqual(replace?.shown, [`${times[2]} running`, `${times[1]} stopped`, `${times[0]} stopped`]);
});

test("a run that was asked for beside the schedule happens once, however many come after it", () => {
  const rig = new Rig();
  rig.declare("h1", { schedule: everyMinute, keep: 1 });
  rig.settle();
  rig.declare("h1", { schedule: everyMinute, keep: 1 }, 1);
  rig.settle().end("succeeded").settle();
  for (const _ of [1, 2, 3, 4]) {
    rig.now += minute;
    rig.settle().end("succeeded").settle();
  }
  assert.deepEqual(
    rig.started.filter((cause) => cause.startsWith("restart")),
    ["restart 1"],
  );
  assert.deepEqual(rig.shown, ["at 2026-01-01T10:04:00.000Z succeeded", "restart 1 succeeded"]);
});

test("what somebody else ended is begun anew", () => {
  const rig = new Rig();
  rig.declare("h1");
  rig.settle();
  const [id] = rig.workloads.keys();
  const workload = rig.workloads.get(id ?? "");
  assert.ok(id !== undefined && workload !== undefined);
  rig.workloads.set(id, { ...workload, phase: "exited" });
  rig.settle();
  assert.deepEqual(
    [rig.shown, rig.started],
    [
      ["h1 running", "h1 stopped"],
      ["h1", "h1"],
    ],
  );
});
