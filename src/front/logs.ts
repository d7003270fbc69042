/** What pods say, through the API server: several at once, each line with its time. */
import type { LogQuery } from "../api/context.ts";
import type { LogLine } from "../api/contract.ts";
import type { Clock } from "../lib/clock.ts";
import type { KubeClient, Query } from "../providers/kubernetes/client.ts";
import type { RunningPod } from "../providers/kubernetes/translate-running.ts";

export interface PodLogs {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** The pod of a workload's id, as it is now. */
  readonly pod: (id: string) => RunningPod | undefined;
}

/** A log that ended (its container was restarted) is asked for again after this, and lists of pods are looked at so often. */
const lookMs = 500;

/** Lines of the past, of all workloads together, oldest first. A container that has said nothing yet is shown by the one before it. */
export async function readPodLogs(logs: PodLogs, { workloads, tail, since }: LogQuery): Promise<readonly LogLine[]> {
  const all = await Promise.all(workloads.map((id) => pastOf(logs, id, { tail, since })));
  const lines = byTime(all.flat());
  return tail === undefined ? lines : lines.slice(lines.length - Math.min(tail, lines.length));
}

interface Past {
  readonly tail: number | undefined;
  readonly since: number | undefined;
}

async function pastOf(logs: PodLogs, id: string, past: Past): Promise<readonly LogLine[]> {
  const pod = logs.pod(id);
  if (pod === undefined || pod.phase === "pending") return [];
  const now = await readOnce(logs, pod, past, false);
  if (now.length > 0 || pod.restarts === 0) return now;
  return readOnce(logs, pod, past, true);
}

async function readOnce({ client }: PodLogs, pod: RunningPod, past: Past, previous: boolean): Promise<readonly LogLine[]> {
  const read = await client.readText(logPath(pod), { ...queryOf(pod, past), previous });
  return read.ok ? read.value.split("\n").flatMap((line) => parseLine(pod.id, line) ?? []) : [];
}

function logPath({ namespace, pod }: RunningPod): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
}

function queryOf({ container }: RunningPod, { tail, since }: Past): Query {
  return { container, timestamps: true, tailLines: tail, sinceTime: since === undefined ? undefined : new Date(since).toISOString() };
}

/** `2026-01-01T00:00:00.123456789Z what it said`; undefined for what is no line. */
export function parseLine(workload: string, line: string): LogLine | undefined {
  const cut = line.indexOf(" ");
  const at = Date.parse(cut < 0 ? line : line.slice(0, cut));
  // The API server does not tell stdout from stderr.
  return Number.isNaN(at) ? undefined : { at, workload, stream: "stdout", line: cut < 0 ? "" : line.slice(cut + 1) };
}

/** Nanoseconds since the epoch at which a line was said. */
function stampOf(line: string): bigint {
  const [, whole = "", fraction = ""] = /^(\S+?)(?:\.(\d+))?Z/.exec(line) ?? [];
  const ms = Date.parse(`${whole}Z`);
  return Number.isNaN(ms) ? 0n : BigInt(ms) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

function byTime(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.toSorted((a, b) => a.at - b.at);
}

/** The past, then what is said from now on, until `signal` aborts; `query.workloads` may grow meanwhile. */
export async function* followPodLogs(logs: PodLogs, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
  const queue: LogLine[] = [];
  let wake: () => void = () => undefined;
  const push = (line: LogLine): void => {
    queue.push(line);
    wake();
  };
  const work: Promise<void>[] = [];
  const known = new Set<string>();
  const startNew = (): void => {
    for (const id of query.workloads) {
      if (known.has(id)) continue;
      known.add(id);
      work.push(followOne(logs, id, { tail: query.tail, since: query.since }, push, signal));
    }
  };
  while (!signal.aborted) {
    startNew();
    yield* byTime(queue.splice(0));
    if (queue.length > 0) continue;
    const pause = new AbortController();
    wake = () => pause.abort();
    await logs.clock.sleep(lookMs, AbortSignal.any([signal, pause.signal]));
  }
  await Promise.all(work);
}

/** One pod's log until the pod is gone; a container that is started again is followed, too. */
async function followOne(logs: PodLogs, id: string, past: Past, push: (line: LogLine) => void, signal: AbortSignal): Promise<void> {
  let from = past;
  let last = 0n;
  while (!signal.aborted) {
    const pod = logs.pod(id);
    if (pod === undefined) return;
    if (pod.phase !== "pending") {
      for await (const text of logs.client.follow(logPath(pod), { ...queryOf(pod, from), follow: true }, signal)) {
        const line = parseLine(id, text);
        const stamp = stampOf(text);
        if (line === undefined || stamp <= last) continue;
        last = stamp;
        push(line);
        // From here on only what is new: the API server counts in whole seconds, so some lines come again.
        from = { tail: undefined, since: line.at };
      }
    }
    await logs.clock.sleep(lookMs, signal);
  }
}
