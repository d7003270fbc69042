/** Replacement against a simulated platform and a simulated Envoy, in every order of events that chance can think of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/support/runs.ts";
import type { AppName, Namespace, VersionKey, VersionName } from "../model/names.ts";
import type { Workload, WorkloadPhase } from "../model/workload.ts";
import { crashLooping, progressOf, whyNotReady } from "./progress.ts";
import { type EnvoyKnowledge, envoyPatienceMs, type Replica, replace, servingReplicas, type WantedVersion } from "./replace.ts";

const key = "default/web@v1" as VersionKey;

function want(hash: string, scale: number): ReadonlyMap<VersionKey, WantedVersion> {
  return new Map([[key, { key, app: "web", version: "v1", hash, scale }]]);
}

/** Platform, Envoy and us, each moved by hand. */
class Machine {
  now = 1000;
  wanted: ReadonlyMap<VersionKey, WantedVersion> = new Map();
  replicas: ReadonlyMap<string, Replica> = new Map();
  workloads = new Map<string, Workload>();
  published: ReadonlySet<string> = new Set();
  /** Sent and not yet acknowledged, oldest first. */
  sent: ReadonlySet<string>[] = [];
  acked: ReadonlySet<string> = new Set();
  wakeAt: number | undefined;
  /** Set by a crash of ours: nothing is known of Envoy until it acknowledges again. */
  blind = false;
  /** What Envoy listens in; follows the platform at each acknowledgement. */
  captured: ReadonlySet<string> = new Set();
  /** Replicas that were told to stop while Envoy could send them requests. */
  readonly lost: string[] = [];

  get envoy(): EnvoyKnowledge {
    if (this.blind) return { has: new Set(), mayHave: new Set(this.workloads.keys()), mayCapture: this.captured };
    const has = new Set([...this.acked].filter((id) => this.published.has(id)));
    return { has, mayHave: new Set([...this.acked, ...this.sent.flatMap((set) => [...set]), ...this.published]), mayCapture: this.captured };
  }

  step(): void {
    const result = replace(this.replicas, { wanted: this.wanted, workloads: this.workloads, envoy: this.envoy, now: this.now });
    const couldGet = new Set([...this.acked, ...this.sent.flatMap((set) => [...set])]);
    for (const replica of result.replicas.values()) {
      if (replica.stage === "stopping" && this.replicas.get(replica.id)?.stage !== "stopping" && couldGet.has(replica.id)) this.lost.push(replica.id);
    }
    this.replicas = result.replicas;
    this.wakeAt = result.wakeAt;
    const serving = new Set([...servingReplicas(this.replicas, this.workloads).values()].flat().map((workload) => workload.id));
    if (serving.size !== this.published.size || [...serving].some((id) => !this.published.has(id))) {
      this.sent.push(serving);
      this.published = serving;
    }
  }

  /** What the platform makes of the newest wish. */
  apply(): void {
    for (const replica of this.replicas.values()) {
      const workload = this.workloads.get(replica.id);
      if (workload === undefined) this.set(replica, "pending");
      else if (replica.stage === "stopping" && workload.phase !== "exited") this.set(replica, workload.phase === "draining" ? "exited" : "draining");
      else if (replica.stage === "running" && workload.phase === "pending") this.set(replica, "starting");
    }
    for (const id of this.workloads.keys()) if (!this.replicas.has(id)) this.workloads.delete(id);
  }

  set(replica: { id: string; hash: string }, phase: WorkloadPhase, restarts = 0): void {
    const name = { namespace: "default" as Namespace, app: "web" as AppName, version: "v1" as VersionName };
    const network = { address: "100.64.0.1", captureAddress: "100.64.0.1", capturePort: 15001, networkNamespace: "/x" };
    this.workloads.set(replica.id, { ...name, id: replica.id, key, hash: replica.hash, phase, since: this.now, restarts, network });
  }

  ready(which: (replica: Replica) => boolean = () => true): void {
    for (const replica of this.replicas.values()) {
      if (replica.stage === "running" && this.workloads.get(replica.id)?.phase === "starting" && which(replica)) this.set(replica, "ready");
    }
  }

  ack(): void {
    this.captured = new Set([...this.workloads.values()].filter((workload) => workload.phase !== "exited").map((workload) => workload.id));
    const next = this.sent.shift();
    if (next === undefined && !this.blind) return;
    this.acked = next ?? this.published;
    this.blind = false;
  }

  /** Everything that can happen by itself does, until nothing changes. */
  settle(): void {
    for (let i = 0; i < 30; i += 1) {
      this.step();
      this.apply();
      this.ready();
      this.ack();
    }
    this.step();
  }

  stages(): readonly string[] {
    return [...this.replicas.values()].map((replica) => `${replica.hash}${replica.index} ${replica.stage}`).toSorted();
  }
  progress() {
    return progressOf({ wanted: this.wanted, replicas: this.replicas, workloads: this.workloads, envoy: this.envoy }, key);
  }
}

function running(hash: string, scale: number): Machine {
  const machine = new Machine();
  machine.wanted = want(hash, scale);
  machine.settle();
  assert.ok(machine.progress().settled);
  return machine;
}

test("new before old: the old one leaves when Envoy has the new one, and stops when Envoy has let go", () => {
  const machine = running("a", 1);
  machine.wanted = want("b", 1);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "b0 running"]);
  machine.apply();
  machine.apply();
  machine.step();
  machine.ready();
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "b0 running"], "ready, but Envoy does not know yet");
  assert.equal(machine.published.size, 2);
  machine.ack();
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 leaving", "b0 running"]);
  assert.equal(machine.published.size, 1);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 leaving", "b0 running"], "Envoy has not said so");
  assert.equal(machine.progress().settled, false);
  machine.ack();
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 stopping", "b0 running"]);
  assert.equal(machine.progress().settled, true, "what drains gets nothing new");
  machine.settle();
  assert.deepEqual(machine.stages(), ["b0 running"]);
  assert.equal(machine.workloads.size, 1);
});

test("a replacement that never gets ready leaves the old one alone, and restoring removes it", () => {
  const machine = running("a", 2);
  machine.wanted = want("b", 2);
  for (let i = 0; i < 10; i += 1) {
    machine.step();
    machine.apply();
    machine.ack();
  }
  for (const replica of machine.replicas.values()) if (replica.hash === "b") machine.set(replica, "backoff", 2);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 running", "b0 running", "b1 running"]);
  const { current, oldReady } = machine.progress();
  assert.equal(oldReady, 2);
  assert.match(crashLooping(current)?.id ?? "", /^web-v1-0-/);
  const before = [...machine.replicas.values()].filter((replica) => replica.hash === "a").map((replica) => replica.id);
  machine.wanted = want("a", 2);
  machine.settle();
  assert.deepEqual([...machine.replicas.keys()].toSorted(), before.toSorted(), "the very same ones");
});

test("one after the other: of three, never fewer than three serve", () => {
  const machine = running("a", 3);
  machine.wanted = want("b", 3);
  let fewest = 3;
  for (let i = 0; i < 20; i += 1) {
    machine.step();
    fewest = Math.min(fewest, machine.published.size);
    machine.apply();
    machine.ready((replica) => replica.index <= i / 4);
    machine.ack();
  }
  machine.settle();
  assert.equal(fewest, 3);
  assert.deepEqual(machine.stages(), ["b0 running", "b1 running", "b2 running"]);
});

test("scale up and down: what is not ready goes first, then the highest number", () => {
  const machine = running("a", 1);
  machine.wanted = want("a", 5);
  machine.step();
  machine.apply();
  machine.apply();
  machine.ready((replica) => replica.index !== 1);
  machine.step();
  machine.ack();
  machine.wanted = want("a", 2);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 stopping", "a2 running", "a3 leaving", "a4 leaving"], "one that Envoy never had can stop at once");
  machine.settle();
  assert.deepEqual(machine.stages(), ["a0 running", "a2 running"]);
  machine.wanted = want("a", 3);
  machine.settle();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 running", "a2 running"]);
});

test("scaled to nothing, and gone from the declaration", () => {
  for (const wanted of [want("a", 0), new Map()]) {
    const machine = running("a", 2);
    machine.wanted = wanted;
    machine.settle();
    assert.deepEqual([machine.stages(), machine.workloads.size, machine.lost], [[], 0, []]);
  }
});

test("a change of mind takes leaving replicas back", () => {
  const machine = running("a", 2);
  machine.wanted = want("a", 0);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 leaving", "a1 leaving"]);
  machine.wanted = want("a", 2);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 running"]);
  machine.settle();
  assert.equal(machine.progress().settled, true);
});

test("what is being stopped is not asked for again under its name", () => {
  const machine = running("a", 1);
  const [first] = machine.replicas.keys();
  machine.wanted = want("a", 0);
  machine.step();
  machine.ack();
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 stopping"]);
  machine.wanted = want("a", 1);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "a0 stopping"]);
  machine.settle();
  assert.notEqual([...machine.replicas.keys()][0], first);
});

test("an Envoy that does not answer delays a stop, it does not forbid it", () => {
  const machine = running("a", 1);
  machine.wanted = new Map();
  machine.step();
  assert.equal(machine.wakeAt, machine.now + envoyPatienceMs);
  machine.now += envoyPatienceMs - 1;
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 leaving"]);
  machine.now += 1;
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 stopping"]);
});

test("an ended replica is kept until Envoy has left its namespace", () => {
  const machine = running("a", 1);
  machine.ack();
  machine.wanted = new Map();
  machine.step();
  machine.ack();
  for (let i = 0; i < 3; i += 1) {
    machine.step();
    machine.apply();
  }
  assert.deepEqual([machine.stages(), [...machine.workloads.values()].map((workload) => workload.phase)], [["a0 stopping"], ["exited"]]);
  assert.equal(machine.wakeAt, machine.now + envoyPatienceMs);
  machine.ack();
  machine.step();
  assert.deepEqual(machine.stages(), []);
});

test("after a crash of ours, what runs is found again; the same question gives the same ids", () => {
  const machine = running("a", 2);
  const before = [...machine.replicas.keys()].toSorted();
  machine.replicas = new Map();
  machine.blind = true;
  machine.step();
  assert.deepEqual([...machine.replicas.keys()].toSorted(), before);
  machine.wanted = want("b", 2);
  machine.step();
  const asked = [...machine.replicas.keys()].toSorted();
  machine.replicas = new Map();
  machine.step();
  assert.deepEqual([...machine.replicas.keys()].toSorted(), asked, "not yet reported, asked for again");
  machine.settle();
  assert.deepEqual(machine.stages(), ["b0 running", "b1 running"]);
  assert.deepEqual(machine.lost, []);
});

test("no order of events stops a replica that may get requests, or serves with fewer than before and after", () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("step", "apply", "ready", "ack") },
    { weight: 1, arbitrary: fc.constantFrom("restart", "crash-of-ours") },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const machine = running("h0", 2);
      let [hash, scale, least] = [0, 2, 2];
      for (const next of events) {
        if (typeof next === "number") {
          scale = next;
          least = Math.min(least, scale);
        } else if (next === "restart") hash += 1;
        else if (next === "crash-of-ours") {
          machine.replicas = new Map();
          machine.blind = true;
          machine.step();
        } else machine[next]();
        machine.wanted = want(`h${hash}`, scale);
        if (next === "step") assert.ok(machine.published.size >= Math.min(least, 2), `${machine.published.size} of ${least} serve`);
      }
      machine.settle();
      assert.deepEqual(machine.lost, []);
      assert.equal(machine.progress().settled, true);
      assert.deepEqual(
        [...machine.replicas.values()].map((replica) => `${replica.hash} ${replica.stage}`),
        Array.from({ length: scale }, () => `h${hash} running`),
      );
    }),
    { numRuns: runs(400) },
  );
});

function wantNumbered(hash: string, scale: number): ReadonlyMap<VersionKey, WantedVersion> {
  return new Map([[key, { key, app: "web", version: "v1", hash, scale, numbered: true }]]);
}

function runningNumbered(hash: string, scale: number): Machine {
  const machine = new Machine();
  machine.wanted = wantNumbered(hash, scale);
  machine.settle();
  assert.deepEqual(
    machine.stages(),
    Array.from({ length: scale }, (_, index) => `${hash}${index} running`),
  );
  return machine;
}

test("with volumes: the highest number first, one at a time, and each only when the one before is gone", () => {
  const machine = runningNumbered("a", 3);
  machine.wanted = wantNumbered("b", 3);
  const seen: string[] = [];
  for (let i = 0; i < 60; i += 1) {
    machine.step();
    const now = machine.stages().join(", ");
    if (seen.at(-1) !== now) seen.push(now);
    assert.ok(machine.published.size >= 2, `two of three serve: ${seen.join("; ")}`);
    if (i % 3 === 0) machine.apply();
    if (i % 3 === 1) machine.ready();
    if (i % 3 === 2) machine.ack();
  }
  assert.deepEqual(seen, [
    "a0 running, a1 running, a2 leaving",
    "a0 running, a1 running, a2 stopping",
    "a0 running, a1 running, b2 running",
    "a0 running, a1 leaving, b2 running",
    "a0 running, a1 stopping, b2 running",
    "a0 running, b1 running, b2 running",
    "a0 leaving, b1 running, b2 running",
    "a0 stopping, b1 running, b2 running",
    "b0 running, b1 running, b2 running",
  ]);
  assert.deepEqual(machine.lost, []);
});

test("with volumes: one that does not come up stops the others' turn, and gives way to what is mended", () => {
  const machine = runningNumbered("a", 2);
  machine.wanted = wantNumbered("b", 2);
  for (let i = 0; i < 20; i += 1) {
    machine.step();
    machine.apply();
    machine.ack();
  }
  for (const replica of machine.replicas.values()) if (replica.hash === "b") machine.set(replica, "backoff", 2);
  machine.step();
  assert.deepEqual(machine.stages(), ["a0 running", "b1 running"], "the other one serves on");
  machine.wanted = wantNumbered("a", 2);
  machine.settle();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 running"]);
});

test("with volumes: those that are too many go from the highest number, and come back to their data", () => {
  const machine = runningNumbered("a", 3);
  machine.wanted = wantNumbered("a", 1);
  machine.settle();
  assert.deepEqual(machine.stages(), ["a0 running"]);
  machine.wanted = wantNumbered("a", 2);
  machine.settle();
  assert.deepEqual(machine.stages(), ["a0 running", "a1 running"]);
});

test("no order of events has two replicas of one number on one volume", () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("step", "apply", "ready", "ack") },
    { weight: 1, arbitrary: fc.constantFrom("restart", "crash-of-ours", "break") },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 4 }) },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const machine = runningNumbered("h0", 2);
      let [hash, scale] = [0, 2];
      for (const next of events) {
        if (typeof next === "number") scale = next;
        else if (next === "restart") hash += 1;
        else if (next === "break") {
          const [broken] = [...machine.replicas.values()].filter(({ id }) => machine.workloads.get(id)?.phase === "ready");
          if (broken !== undefined) machine.set(broken, "starting");
        } else if (next === "crash-of-ours") {
          machine.replicas = new Map();
          machine.blind = true;
          machine.step();
        } else machine[next]();
        machine.wanted = wantNumbered(`h${hash}`, scale);
        const numbers = [...machine.workloads.values()].filter(({ phase }) => phase !== "exited").map(({ id }) => /-(\d+)-[a-z0-9]+$/.exec(id)?.[1]);
        assert.equal(new Set(numbers).size, numbers.length, machine.stages().join(", "));
      }
      machine.settle();
      machine.settle();
      assert.deepEqual(machine.lost, []);
      assert.deepEqual(
        machine.stages(),
        Array.from({ length: scale }, (_, index) => `h${hash}${index} running`),
      );
    }),
    { numRuns: 400 },
  );
});

test("why a replica is not ready, in one line", () => {
  const machine = running("a", 1);
  const [workload] = machine.workloads.values();
  assert.ok(workload);
  assert.equal(whyNotReady(workload), undefined);
  assert.equal(whyNotReady({ ...workload, phase: "backoff", restarts: 2, reason: "exited with code 1" }), "exited with code 1, 3 times");
  assert.equal(whyNotReady({ ...workload, phase: "starting", reason: "ready check GET :8080/: status 503" }), "ready check GET :8080/: status 503");
  assert.equal(crashLooping([{ ...workload, phase: "backoff", restarts: 1 }]), undefined);
});
