import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "../api/contract.ts";
import type { RunningPod } from "../providers/kubernetes/translate-running.ts";
import { followPodLogs, type PodLogs, parseLine, readPodLogs } from "./logs.ts";

const clock = { now: () => Date.now(), sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)) };

function podOf(name: string, restarts = 0): RunningPod {
  return { id: name, pod: name, namespace: "shop", container: "main", phase: "ready", restarts } as unknown as RunningPod;
}

const line = (second: number, text: string, fraction = "") => `2026-01-01T00:00:0${second}${fraction}Z ${text}`;

interface Said {
  /** By pod; `previous` is the container of before. */
  readonly past?: Readonly<Record<string, string>>;
  readonly previous?: Readonly<Record<string, string>>;
  /** What each request to follow answers, one after the other; then nothing until the end. */
  readonly follow?: Readonly<Record<string, (readonly string[])[]>>;
}

function logsOf(said: Said, pods: ReadonlyMap<string, RunningPod>): PodLogs & { readonly asked: Record<string, unknown>[] } {
  const asked: Record<string, unknown>[] = [];
  const nameOf = (path: string): string => /pods\/([^/]+)\/log$/.exec(path)?.[1] ?? "";
  const client = {
    readText: async (path: string, query: Record<string, unknown>) => {
      const text = (query["previous"] === true ? said.previous : said.past)?.[nameOf(path)];
      return text === undefined ? { ok: false, error: { kind: "notFound", message: "" } } : { ok: true, value: text };
    },
    async *follow(path: string, query: Record<string, unknown>, signal: AbortSignal) {
      asked.push({ pod: nameOf(path), ...query });
      const next = said.follow?.[nameOf(path)]?.shift();
      if (next !== undefined) yield* next;
      else await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    },
  } as unknown as PodLogs["client"];
  return { client, clock, pod: (id) => pods.get(id), asked };
}

const pods = (...all: readonly RunningPod[]) => new Map(all.map((pod) => [pod.id, pod]));
const texts = (lines: readonly LogLine[]) => lines.map(({ workload, line: text }) => `${workload}: ${text}`);

test("a line has its time; what is no line is none", () => {
  assert.deepEqual(parseLine("a", line(1, "hello  world", ".5")), {
    at: Date.parse("2026-01-01T00:00:01.5Z"),
    workload: "a",
    stream: "stdout",
    line: "hello  world",
  });
  assert.equal(parseLine("a", "2026-01-01T00:00:01Z")?.line, "");
  assert.equal(parseLine("a", ""), undefined);
});

test("the past of several pods by time; a container that has said nothing yet is shown by the one before it", async () => {
  const said = { past: { a: `${line(1, "a1")}\n${line(3, "a3")}\n`, b: `${line(2, "b2")}\n`, c: "" }, previous: { c: `${line(4, "died")}\n` } };
  const logs = logsOf(said, pods(podOf("a"), podOf("b"), podOf("c", 2)));
  assert.deepEqual(texts(await readPodLogs(logs, { workloads: ["a", "b", "c", "gone"] })), ["a: a1", "b: b2", "a: a3", "c: died"]);
  assert.deepEqual(texts(await readPodLogs(logs, { workloads: ["a", "b"], tail: 2 })), ["b: b2", "a: a3"]);
  assert.deepEqual(texts(await readPodLogs(logs, { workloads: ["a"], tail: 0 })), []);
});

test("following goes over the end of a container without a line twice, takes in pods that come later, and ends", { timeout: 20_000 }, async () => {
  const follow = {
    a: [
      [line(1, "one", ".000000001"), line(1, "two", ".000000002")],
      [line(1, "two", ".000000002"), line(1, "three", ".000000003")],
    ],
    b: [[line(2, "late")]],
  };
  const logs = logsOf({ follow }, pods(podOf("a"), podOf("b")));
  const workloads = ["a"];
  const stop = new AbortController();
  const seen: LogLine[] = [];
  for await (const one of followPodLogs(logs, { workloads, tail: 5 }, stop.signal)) {
    seen.push(one);
    if (one.line === "three") workloads.push("b");
    if (one.line === "late") stop.abort();
  }
  assert.deepEqual(texts(seen), ["a: one", "a: two", "a: three", "b: late"]);
  const [first, second] = logs.asked.filter(({ pod }) => pod === "a");
  assert.deepEqual([first?.["tailLines"], first?.["follow"], second?.["tailLines"], second?.["sinceTime"]], [5, true, undefined, "2026-01-01T00:00:01.000Z"]);
});
