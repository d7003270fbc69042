/** Commands inside pods, as if they ran here: terminal, pipes, signals of size, exit status. */
import type { ExecView } from "../../api/contract.ts";
import { type Channels, type ChannelTarget, channel, connectPods, type Ended, readEnded } from "../../front/streams.ts";
import type { Place } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { clusterOf, orFail } from "./connect.ts";
import { DetachKeys } from "./detach-keys.ts";

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

/**
 * Shows what the container says from now on, until it ends or Ctrl-C; with `input` it hears what is typed, if it reads anything. On a terminal all keys are
 * the container's then, and Ctrl-P Ctrl-Q leaves it alone again.
 */
export function attachToPod(place: Place, plan: PodPlan, input: boolean): Promise<number> {
  if (input && !plan.stdin)
    throw failure("attach-without-input", `${plan.workload} reads nothing: its container was made without stdin`, {
      hint: "leave out -i to see what it says; a command of your own: weir exec",
      exit: exitCode.badInput,
    });
  // Whether it has a terminal was decided when it was made; whoever looks on must ask for it as it is.
  const query = [...streamQuery(plan.container, plan.tty), ...(input ? [["stdin", "true"] satisfies [string, string]] : [])];
  const terminal = input && plan.tty && [process.stdin, process.stdout].every((one) => one.isTTY);
  return stream(place, { namespace: plan.namespace, pod: plan.pod, what: "attach", query }, { terminal, input, detach: terminal });
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
  /** Ctrl-P Ctrl-Q ends our side alone. */
  readonly detach?: boolean;
}

async function stream(place: Place, target: ChannelTarget, { terminal, input, detach = false }: StreamOptions): Promise<number> {
  let isDetached = false as boolean;
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
    const { close } = channels;
    const leave = (): void => {
      isDetached = true;
      close();
    };
    const stopInput = input ? sendInput(channels, terminal, detach ? leave : undefined) : () => undefined;
    await channels.closed.finally(stopInput);
  } finally {
    pods.close();
  }
  if (isDetached) {
    say("\r\nleft alone; it goes on");
    return exitCode.ok;
  }
  if (ended?.kind === "exited") return ended.code;
  throw failure("pod-broken", `${target.what} in pod ${target.namespace}/${target.pod}: ${ended?.message ?? "the connection broke off before it ended"}`, {
    hint: "`weir ps` shows whether the pod still runs",
    exit: exitCode.unavailable,
  });
}

/** Hands on what is typed or piped in, and the size of the terminal. Answers what undoes it. */
function sendInput(channels: Channels, terminal: boolean, leave: (() => void) | undefined): () => void {
  const { stdin, stdout } = process;
  const keys = new DetachKeys();
  const send = (typed: Buffer): void => {
    const { data, detach } = leave === undefined ? { data: typed, detach: false } : keys.hear(typed);
    stdin.pause();
    void channels.send(channel.stdin, data).then(() => (detach ? leave?.() : stdin.resume()));
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
