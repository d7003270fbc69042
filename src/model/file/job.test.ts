import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf, stackOf } from "../../../test/support/parse.ts";

test("every key of a job is read", () => {
  const text = `
configs: {settings: {level: "3"}}
jobs:
  team:migrate:
    image: registry.example.com/migrate:1
    command: migrate up
    args: [--fast]
    dir: db
    env: {LEVEL: {config: settings, key: level}, URL: http://web}
    mounts: [{config: settings, path: /etc/settings}]
    egress: true
    schedule: "30 3 * * MON-FRI"
    timeZone: Europe/Berlin
    retries: 0
    timeout: 10m
    grace: 1s
    stopSignal: SIGINT
    concurrency: replace
    keep: 5
    resources: {cpu: 250m, memory: 64Mi}
`;
  const [{ where, ...job } = assert.fail("no job")] = stackOf(text.replaceAll("configs: {settings", "configs: {team:settings")).jobs;
  assert.deepEqual(job, {
    namespace: "team",
    name: "migrate",
    image: "registry.example.com/migrate:1",
    command: ["migrate", "up", "--fast"],
    dir: "/srv/shop/db",
    env: { LEVEL: { kind: "config", name: "settings", key: "level" }, URL: { kind: "literal", value: "http://web" } },
    mounts: [{ kind: "config", name: "settings", path: "/etc/settings" }],
    graceMs: 1_000,
    stopSignal: "SIGINT",
    egress: true,
    schedule: { cron: "30 3 * * MON-FRI", timeZone: "Europe/Berlin" },
    retries: 0,
    timeoutMs: 600_000,
    concurrency: "replace",
    keep: 5,
    resources: { cpu: "250m", memory: "64Mi" },
  });
  assert.deepEqual([where?.line, where?.column], [4, 3]);
});

test("what a job does not say has a default", () => {
  const { jobs, namespaces } = stackOf('jobs: {tick: {command: x, schedule: "@hourly"}}');
  assert.deepEqual(namespaces, ["default"]);
  const [{ where: _where, ...job } = assert.fail("no job")] = jobs;
  assert.deepEqual(job, {
    namespace: "default",
    name: "tick",
    command: ["x"],
    dir: "/srv/shop",
    env: {},
    mounts: [],
    graceMs: 10_000,
    stopSignal: "SIGTERM",
    egress: false,
    schedule: { cron: "@hourly", timeZone: "UTC" },
    retries: 3,
    concurrency: "forbid",
    keep: 3,
  });
});

const mistakes: Readonly<Record<string, readonly string[]>> = {
  "jobs: {tick: {command: x, schedul: y}}": ['1:27 unknown-key: a job has no "schedul" (did you mean "schedule"?)'],
  "jobs: {tick: {command: x, ports: 80}}": [
    '1:27 unknown-key: a job has no "ports" (one of namespace, command, image, args, dir, env, mounts, resources, egress, schedule, timeZone, retries, …)',
  ],
  'jobs: {tick: {command: x, schedule: "* * * *"}}': [
    '1:37 schedule-invalid: "* * * *" is no schedule: it has 4 fields, not five (five fields: minute, hour, day of the month, month, day of the week, like */5 * * * *; or @hourly, @daily, @weekly, @monthly)',
  ],
  'jobs: {tick: {command: x, schedule: "@hourly", timeZone: Berlin}}': [
    '1:58 time-zone-unknown: "Berlin" is no time zone (write it like Europe/Berlin or America/New_York)',
  ],
  "jobs: {once: {command: x, concurrency: allow}}": [
    '1:40 missing-key: a job with "concurrency" needs "schedule" (add a schedule, or take it out: without one it runs once)',
  ],
  "jobs: {once: {command: x, concurrency: forbit, schedule: '@daily'}}": ['1:40 value-unknown: "forbit" is not a way (did you mean "forbid"?)'],
  "jobs: {once: {}}": ['1:8 missing-key: a job needs "command" (what to start: one line, or a list)'],
  "jobs: {once: {args: [x], image: i}}": ['1:21 missing-key: a job with "args" needs "command" (write the program under command)'],
  "jobs: {once@v1: {command: x}}": ['1:8 name-invalid: "once@v1": only services have versions (write once)'],
  "jobs: {web: {command: x}}\nservices: {web: {command: x}}": ["1:8 name-clash: the job web has the same name as the app web (see line 2: rename one of them)"],
  "jobs: {a-name-that-is-too-long-for-what-kubernetes-calls-cronjob: {command: x}}": [
    `1:8 name-invalid: "a-name-that-is-too-long-for-what-kubernetes-calls-cronjob" is too long for a job's name (use at most 52 characters)`,
  ],
  "job: {tick: {command: x}}": ['1:1 unknown-key: the file has no "job" (did you mean "jobs"?)'],
};

test("what is wrong with a job is said with its place", () => {
  for (const [text, expected] of Object.entries(mistakes)) assert.deepEqual(mistakesOf(text), expected, text);
});
