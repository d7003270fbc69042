/** Jobs through the API, with the real control loop on a platform in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeDaemon, startFakeDaemon } from "../../test/support/fake-daemon.ts";
import type { ApiError, ExecView, InspectView, JobView, LogLine, Plan, RemoveResult, StackView, UpEvent } from "./contract.ts";

const quick = { timeout: 30_000 };
const stack = (jobs: string): string => `stack: shop\nservices: {web: {command: x, ports: 80}}\njobs: {${jobs}}\n`;

async function up(daemon: FakeDaemon, jobs: string, timeoutMs = 15_000): Promise<UpEvent> {
  const source = { file: "weir.yaml", text: stack(jobs), dir: "/work/shop", files: {}, env: {} };
  const { status, body } = await daemon.post<readonly UpEvent[]>("/v1/up", { source, wait: true, timeoutMs });
  assert.equal(status, 200, JSON.stringify(body));
  return body.at(-1) ?? assert.fail("no event");
}

async function jobs(daemon: FakeDaemon): Promise<readonly JobView[]> {
  return (await daemon.get<readonly JobView[]>("/v1/jobs")).body;
}

test("up plans jobs, waits until they have succeeded, and is content with a schedule", quick, async (t) => {
  const daemon = startFakeDaemon(t);
  const text = "migrate: {command: m}, tick: {command: t, schedule: '@yearly'}";
  const source = { file: "weir.yaml", text: stack(text), dir: "/work/shop", files: {}, env: {} };
  const plan = await daemon.post<Plan>("/v1/plan", { source });
  assert.deepEqual(
    plan.body.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`),
    ["create service web@v1", "create job migrate", "create job tick"],
  );
  const done = await up(daemon, text);
  assert.ok(done.kind === "done", JSON.stringify(done));
  assert.deepEqual(
    done.jobs.map(({ name, state }) => [name, state]),
    [
      ["migrate", "succeeded"],
      ["tick", "scheduled"],
    ],
  );
  const [migrate, tick] = await jobs(daemon);
  assert.deepEqual([migrate?.runs.length, migrate?.stack, tick?.runs.length, tick?.schedule], [1, "shop", 0, { cron: "@yearly", timeZone: "UTC" }]);
  assert.equal((await up(daemon, text)).kind, "done");
  assert.equal((await jobs(daemon))[0]?.runs.length, 1, "the same again runs nothing");
  assert.equal((await daemon.get<readonly StackView[]>("/v1/stacks")).body[0]?.objects, 3);
});

test("up fails with what a job said, and brings back what was declared; that is not run again", quick, async (t) => {
  const daemon = startFakeDaemon(t, undefined, {}, ({ template }) => (template.job.command[0] === "bad" ? "failed" : "succeeded"));
  assert.equal((await up(daemon, "migrate: {command: good}")).kind, "done");
  const failed = await up(daemon, "migrate: {command: bad}");
  assert.ok(failed.kind === "failed", JSON.stringify(failed));
  assert.deepEqual(
    [failed.failures, failed.restored],
    [[{ namespace: "default", name: "job/migrate", reason: "exited with code 1", lastLog: ["the disk is on fire"] }], true],
  );
  await t.waitFor(async () => {
    const [job] = await jobs(daemon);
    assert.deepEqual([job?.state, job?.runs.map(({ state }) => state)], ["succeeded", ["succeeded", "failed"]]);
  });
  assert.equal((await up(daemon, "migrate: {command: bad}")).kind, "failed", "it is tried again, and fails again");
});

test("up gives up on a job that does not end, and says so", quick, async (t) => {
  const daemon = startFakeDaemon(t, undefined, {}, () => undefined);
  const late = await up(daemon, "slow: {command: x}", 700);
  assert.ok(late.kind === "failed" && late.timedOut === true, JSON.stringify(late));
  assert.deepEqual(
    late.failures.map(({ name, reason }) => [name, reason]),
    [["job/slow", "it has not ended in time"]],
  );
  await t.waitFor(async () => assert.deepEqual(await jobs(daemon), []));
});

test("jobs are run again, inspected, read, removed and taken down", quick, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, "migrate: {command: m, env: {A: {config: c, key: k}}}, tick: {command: t, schedule: '@yearly'}}\nconfigs: {c: {k: v}");
  const ran = await daemon.post<readonly JobView[]>("/v1/jobs/run", { namespace: "default", jobs: ["migrate", "tick"], wait: true });
  assert.deepEqual(
    ran.body.map(({ name, runs }) => [name, runs.length, runs[0]?.state]),
    [
      ["migrate", 2, "succeeded"],
      ["tick", 1, "succeeded"],
    ],
  );
  const unknown = await daemon.post<ApiError>("/v1/jobs/run", { namespace: "default", jobs: ["migrat"], wait: true });
  assert.deepEqual([unknown.status, unknown.body.problems[0]?.hint], [404, 'did you mean "migrate"?']);
  const inspected = (await daemon.get<InspectView>("/v1/inspect/default/migrate")).body;
  assert.deepEqual([inspected.kind, inspected.name, (inspected.status as JobView).runs.length], ["job", "migrate", 2]);
  const lines = (await daemon.get<readonly LogLine[]>("/v1/logs?ref=migrate")).body;
  assert.deepEqual(
    lines.map(({ workload }) => workload),
    [ran.body[0]?.runs[0]?.name],
    "of the newest run",
  );
  const used = await daemon.post<ApiError>("/v1/rm", { namespace: "default", refs: ["config/c"] });
  assert.deepEqual([used.status, used.body.problems[0]?.message], [409, "config c is used by job/migrate"]);
  assert.equal((await daemon.post<ApiError>("/v1/scale", { namespace: "default", targets: [{ app: "migrate", scale: 2 }], wait: false })).status, 404);
  const taken = await daemon.post<ApiError>("/v1/run", {
    namespace: "default", app: "migrate", version: "v1", command: ["x"], dir: "/", env: {}, ports: [], scale: 1, egress: false, wait: false,
  }); // biome-ignore format: one request
  assert.match(taken.body.problems[0]?.message ?? "", /needs the name migrate, which is the job migrate/);
  assert.deepEqual((await daemon.post<RemoveResult>("/v1/rm", { namespace: "default", refs: ["migrate"] })).body.removed, ["job/migrate"]);
  assert.deepEqual((await daemon.post<RemoveResult>("/v1/down", { all: true })).body.removed, ["config/c", "job/tick", "web@v1"]);
  await t.waitFor(() => assert.equal(daemon.store.snapshot.get().objects.run.size, 0));
});

test("a command is for the newest run that goes on, or for the one that is named; without one it is said what became of it", quick, async (t) => {
  const daemon = startFakeDaemon(t, undefined, {}, ({ template }) => (template.job.name === "quick" ? "succeeded" : undefined));
  const source = {
    file: "weir.yaml",
    text: stack("quick: {command: q}, slow: {command: s, schedule: '@yearly', concurrency: allow}, never: {command: n, schedule: '@yearly'}"),
    dir: "/work/shop",
    files: {},
    env: {},
  };
  assert.equal((await daemon.post("/v1/up", { source, wait: true, timeoutMs: 15_000 })).status, 200);
  const exec = async (ref: string, workload = ""): Promise<readonly unknown[]> => {
    const { body } = await daemon.get<ExecView & Partial<ApiError>>(
      `/v1/exec/default/${encodeURIComponent(ref)}${workload === "" ? "" : `?workload=${workload}`}`,
    );
    return body.problems === undefined ? [body.kind, body.run] : body.problems.map(({ code, hint }) => `${code}: ${hint ?? ""}`);
  };
  assert.deepEqual(await exec("quick"), ["not-running: its newest run succeeded: weir logs quick shows what it said, weir restart quick runs it again"]);
  assert.deepEqual(await exec("never"), ["not-running: it has not run yet: weir restart never runs it now"]);
  assert.deepEqual(await exec("job/nothing"), ["not-found: one of web, quick, slow, never"]);
  for (let at = 0; at < 2; at += 1) await daemon.post("/v1/jobs/run", { namespace: "default", jobs: ["slow"], wait: false });
  const running = async (): Promise<readonly string[]> =>
    (await jobs(daemon))
      .find(({ name }) => name === "slow")
      ?.runs.filter(({ state }) => state === "running")
      .map(({ name }) => name) ?? [];
  await t.waitFor(async () => assert.equal((await running()).length, 2));
  const [newest, older] = await running();
  await t.waitFor(async () => assert.deepEqual(await exec("job/slow"), ["program", newest]));
  assert.deepEqual(
    [await exec("slow"), await exec("slow", older)],
    [
      ["program", newest],
      ["program", older],
    ],
  );
  assert.match(String(await exec("slow", "slow-none")), /not-running/);
  const lines = (await daemon.get<readonly LogLine[]>(`/v1/logs?ref=slow&workload=${older}`)).body;
  assert.deepEqual(
    lines.map(({ workload }) => workload),
    [older],
    "of the run that is named",
  );
  assert.deepEqual(await exec("web"), ["program", undefined]);
});
