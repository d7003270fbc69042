/** A listening socket here whose connections end in pods. */
import { createServer, type Server, type Socket } from "node:net";
import type { ExecView } from "../../api/contract.ts";
import { type Channels, connectPods, type Pods } from "../../front/streams.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { Problem } from "../../lib/problem.ts";
import type { Invocation } from "../command.ts";
import { execPlanOf } from "../commands/exec.ts";
import { exitCode } from "../exit-code.ts";
import { Failure, failure } from "../failure.ts";
import { out, say } from "../output.ts";
import { problemText } from "../problems.ts";
import { clusterOf, orFail } from "./connect.ts";

interface Forward {
  readonly local: number;
  /** The callers' port, or one that the container listens on. */
  readonly remote: number;
  readonly address: string;
}

const [dataChannel, errorChannel] = [0, 1];
/** Each channel begins with the number of its port. */
const prefixBytes = 2;

/** Forwards until the process is told to end. Throws a `Failure` for what cannot work at all. */
export async function forwardPort(invocation: Invocation, { local, remote, address }: Forward): Promise<void> {
  // Before anybody connects: is there such a thing, has it such a port?
  containerPort(await podOf(invocation), remote);
  const pods = orFail(await connectPods(clusterOf(invocation.place)));
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    void forwardOne(invocation, pods, socket, remote).catch((error: unknown) => {
      socket.destroy();
      for (const problem of problemsOf(error)) say(problemText(problem));
    });
  });
  const port = await listen(server, address, local);
  out(`${address}:${port} leads to ${invocation.args[0] ?? ""}, port ${remote}; end with Ctrl-C\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  server.close();
  pods.close();
  process.exit(exitCode.ok);
}

type PodPlan = Extract<ExecView, { kind: "pod" }>;

async function podOf(invocation: Invocation): Promise<PodPlan> {
  const plan = await execPlanOf(invocation);
  if (plan.kind !== "pod") throw new Error("only clusters have pods");
  return plan;
}

function containerPort({ ports, workload }: PodPlan, remote: number): number {
  const found = ports.find(({ port }) => port === remote) ?? ports.find((port) => port.containerPort === remote);
  if (found !== undefined) return found.containerPort;
  const known = ports.map(({ port }) => String(port)).join(", ");
  throw failure("port-absent", `${workload} has no port ${remote}`, { hint: known === "" ? "it has none" : `it has ${known}`, exit: exitCode.notFound });
}

function listen(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        failure("port-taken", `cannot listen on ${address}:${port}: ${error.message}`, { hint: "choose another: LOCALPORT:PORT", exit: exitCode.conflict }),
      ),
    );
    server.listen({ host: address, port }, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

/** One connection to a replica of now: the one of before may be gone. */
async function forwardOne(invocation: Invocation, pods: Pods, socket: Socket, remote: number): Promise<void> {
  const plan = await podOf(invocation);
  const port = containerPort(plan, remote);
  const seen = new Set<number>();
  const flow: { channels?: Channels } = {};
  const received = (number: number, data: Buffer): void => {
    const rest = seen.has(number) ? data : data.subarray(prefixBytes);
    seen.add(number);
    if (rest.length === 0) return;
    if (number === errorChannel) say(`port ${remote} of ${plan.workload}: ${rest.toString("utf8").trim()}`);
    if (number !== dataChannel || socket.write(rest)) return;
    flow.channels?.pause();
    socket.once("drain", () => flow.channels?.resume());
  };
  const target = { namespace: plan.namespace, pod: plan.pod, what: "portforward", query: [["ports", String(port)]] } as const;
  const open = orFail(await pods.open(target, received));
  flow.channels = open;
  socket.on("error", () => socket.destroy());
  socket.on("close", () => open.close());
  socket.on("data", (data: Buffer) => {
    socket.pause();
    void open.send(dataChannel, data).then(() => socket.resume());
  });
  socket.resume();
  await open.closed;
  socket.end();
}

function problemsOf(error: unknown): readonly Problem[] {
  if (error instanceof Failure) return error.problems;
  return [{ code: "pod-broken", message: messageOf(error) }];
}
