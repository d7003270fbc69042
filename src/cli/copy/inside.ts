/** A command inside a workload whose input and output are streams of ours: on this machine a process, on a cluster the API server's connection. */
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ExecView } from "../../api/contract.ts";
import type { Place } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

export interface InsideStreams {
  /** Absent: it gets none. */
  readonly input?: Readable;
  /** Absent: nobody listens. Ended when the command has ended. */
  readonly output?: Writable;
}

export interface InsideEnd {
  /** 127: there is no such program. */
  readonly code: number;
  readonly said: string;
}

/** So much of what it says is kept. */
const saidLimit = 4_000;
const absent = 127;

/** Runs a command where `plan` says. Rejects when the connection breaks or one of our streams does. */
export async function runInside(place: Place, plan: ExecView, command: readonly string[], streams: InsideStreams): Promise<InsideEnd> {
  switch (plan.kind) {
    case "program":
      return runProgram(plan, command, streams);
    case "pod":
      return runInPod(place, plan, command, streams);
    default:
      return plan satisfies never;
  }
}

async function runProgram(plan: Extract<ExecView, { kind: "program" }>, command: readonly string[], { input, output }: InsideStreams): Promise<InsideEnd> {
  const [file = "", ...args] = plan.argv;
  const child = spawn(file, [...args, ...command], { env: { ...plan.env }, stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, saidLimit)));
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", (error) => reject(failure("exec-failed", `cannot start ${file}: ${error.message}`, { exit: exitCode.unavailable })));
    child.on("close", (code) => resolve(code ?? absent + 1));
  });
  if (output === undefined) child.stdout.resume();
  // One that ends before it has read all says why by its exit status.
  const sending = input === undefined ? Promise.resolve(child.stdin.end()) : pipeline(input, child.stdin).catch(ignoreClosed);
  const receiving = output === undefined ? Promise.resolve() : pipeline(child.stdout, output);
  try {
    const [code] = await Promise.all([ended, sending, receiving]);
    return { code, said: said.trim() };
  } catch (error) {
    child.kill();
    throw error;
  }
}

function ignoreClosed(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!["EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET"].includes(code)) throw error;
}

async function runInPod(
  place: Place,
  { namespace, pod, container }: Extract<ExecView, { kind: "pod" }>,
  command: readonly string[],
  { input, output }: InsideStreams,
): Promise<InsideEnd> {
  const [{ channel, connectPods, readEnded }, { clusterOf, orFail }] = await Promise.all([import("../../front/streams.ts"), import("../cluster/connect.ts")]);
  const query: [string, string][] = [
    ...command.map((word): [string, string] => ["command", word]),
    ["container", container],
    ["stdout", "true"],
    ["stderr", "true"],
    ...(input === undefined ? [] : [["stdin", "true"] satisfies [string, string]]),
  ];
  let [said, end]: [string, ReturnType<typeof readEnded> | undefined] = ["", undefined];
  const pods = orFail(await connectPods(clusterOf(place)));
  try {
    const channels = orFail(
      await pods.open({ namespace, pod, what: "exec", query }, (number, data) => {
        if (number === channel.status) end = readEnded(data);
        if (number === channel.stderr) said = (said + data.toString("utf8")).slice(0, saidLimit);
        if (number !== channel.stdout || output === undefined || data.length === 0 || output.write(data)) return;
        channels.pause();
        output.once("drain", () => channels.resume());
      }),
    );
    const broken = new Promise<never>((_resolve, reject) => output?.once("error", reject));
    const sending =
      input === undefined
        ? Promise.resolve()
        : send(
            input,
            (data) => channels.send(channel.stdin, data),
            () => channels.end(channel.stdin),
          );
    await Promise.race([Promise.all([channels.closed, sending]), broken]);
    await finish(output);
  } finally {
    pods.close();
  }
  return endOf(end, said.trim(), `${namespace}/${pod}`);
}

type PodEnd = { readonly kind: "exited"; readonly code: number } | { readonly kind: "failed"; readonly message: string } | undefined;

function endOf(end: PodEnd, said: string, pod: string): InsideEnd {
  if (end?.kind === "exited") return { code: end.code, said };
  if (end?.kind === "failed" && /executable file not found|no such file or directory/i.test(end.message)) return { code: absent, said: end.message };
  const message = `exec in pod ${pod}: ${end?.message ?? "the connection broke off before it ended"}`;
  throw failure("pod-broken", message, { hint: "`weir ps` shows whether the pod still runs", exit: exitCode.unavailable });
}

async function send(input: Readable, write: (data: Buffer) => Promise<void>, end: () => void): Promise<void> {
  for await (const data of input) await write(data as Buffer);
  end();
}

function finish(output: Writable | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (output === undefined) return resolve();
    output.once("error", reject);
    output.end(resolve);
  });
}
