/** Commands inside pods, as if they ran here: terminal, pipes, signals of size, exit status. */
import type { ExecView } from "../../api/contract.ts";
import { type Channels, type ChannelTarget, channel, connectPods, type Ended, readEnded } from "../../front/streams.ts";
import type { Place } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { clusterOf, orFail } from "./connect.ts";

type PodPlan = Extract<ExecView, { kind: "pod" }>;

/** Runs a command in a pod's container with this process's input and output. Answers its exit status. Throws a `Failure`. */
export function execInPod(place: Place, plan: PodPlan, command: readonly string[]): Promise<number> {
  // Where it is no terminal, it is absent, whatever its type says.
  const terminal = [process.stdin, process.stdout].every((stream) => stream.isTTY);
  const query: [string, string][] = [
    ...command.map((word): [string, string] => ["command", word]),
    ...streamQuery(plan.container, terminal),
    ["stdin", "true"],
  ];
  return stream(place, { namespace: plan.namespace, pod: plan.pod, what: "exec", query }, { terminal, input: true });
}

/** Shows what the container says from now on, until it ends or Ctrl-C. */
export function attachToPod(place: Place, plan: PodPlan): Promise<number> {
  const target = { namespace: plan.namespace, pod: plan.pod, what: "attach", query: streamQuery(plan.container, false) } as const;
  return stream(place, target, { terminal: false, input: false });
}

function streamQuery(container: string, terminal: boolean): readonly [string, string][] {
  // On a terminal there is one output.
  return [
    ["container", container],
    ["stdout", "true"],
    ["stderr", String(!terminal)],
    ["tty", String(terminal)],
  ];
}

interface StreamOptions {
  readonly terminal: boolean;
  readonly input: boolean;
}

async function stream(place: Place, target: ChannelTarget, { terminal, input }: StreamOptions): Promise<number> {
  let ended: Ended | undefined;
  let channels: Channels | undefined;
  const outputs: Readonly<Record<number, NodeJS.WriteStream>> = { [channel.stdout]: process.stdout, [channel.stderr]: process.stderr };
  const received = (number: number, data: Buffer): void => {
    if (number === channel.status) ended = readEnded(data);
    const output = outputs[number];
    if (output === undefined || data.length === 0 || output.write(data)) return;
    channels?.pause();
    output.once("drain", () => channels?.resume());
  };
  const pods = orFail(await connectPods(clusterOf(place)));
  try {
    channels = orFail(await pods.open(target, received));
    const stopInput = input ? sendInput(channels, terminal) : () => undefined;
    await channels.closed.finally(stopInput);
  } finally {
    pods.close();
  }
  if (ended?.kind === "exited") return ended.code;
  throw failure("pod-broken", `${target.what} in pod ${target.namespace}/${target.pod}: ${ended?.message ?? "the connection broke off before it ended"}`, {
    hint: "`weir ps` shows whether the pod still runs",
    exit: exitCode.unavailable,
  });
}

/** Hands on what is typed or piped in, and the size of the terminal. Answers what undoes it. */
function sendInput(channels: Channels, terminal: boolean): () => void {
  const { stdin, stdout } = process;
  const send = (data: Buffer): void => {
    stdin.pause();
    void channels.send(channel.stdin, data).then(() => stdin.resume());
  };
  const end = (): void => channels.end(channel.stdin);
  const resize = (): void => void channels.send(channel.resize, Buffer.from(JSON.stringify({ Width: stdout.columns, Height: stdout.rows })));
  // Ctrl-C is for the command: raw, it is a character; else the command hears of it when the connection ends.
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on("resize", resize);
    resize();
  }
  stdin.on("data", send);
  stdin.on("end", end);
  return () => {
    stdin.off("data", send);
    stdin.off("end", end);
    stdout.off("resize", resize);
    if (terminal) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  };
}
