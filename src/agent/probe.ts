/** One look at a workload's health. The check's own limits are here; when to look again is decided elsewhere. */
import { request } from "node:http";
import { connect } from "node:net";
import { runProgram } from "../dataplane/shell.ts";
import { RpcError, Status } from "../rpc/status.ts";
import type { WorkloadCheck } from "./contract.ts";
import { isServing } from "./grpc-health.ts";

export interface ProbeResult {
  readonly ok: boolean;
  /** `ready check GET :8080/healthz: status 503`; empty when ok. */
  readonly detail: string;
}

/** What a probe needs besides the check. `enter` makes words that run a command inside the workload. */
export interface ProbeContext {
  readonly name: string;
  readonly address: string;
  readonly timeoutMs: number;
  readonly enter: (command: readonly string[]) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Looks once; never throws. */
export async function probeOnce(check: WorkloadCheck, context: ProbeContext): Promise<ProbeResult> {
  const problem = await look(check, context);
  return problem === undefined ? { ok: true, detail: "" } : { ok: false, detail: `${context.name} check ${title(check)}: ${problem}` };
}

/** The check as one reads it: `GET :8080/healthz`, `tcp :5432`, `grpc :9000`, `exec ./check`. */
export function title(check: WorkloadCheck): string {
  switch (check.kind) {
    case "http":
      return `GET :${check.port}${check.path}`;
    case "tcp":
      return `tcp :${check.port}`;
    case "grpc":
      return `grpc :${check.port}${check.service === "" ? "" : `/${check.service}`}`;
    case "exec":
      return `exec ${check.command.join(" ")}`.slice(0, 80);
    default:
      return check satisfies never;
  }
}

function look(check: WorkloadCheck, context: ProbeContext): Promise<string | undefined> {
  switch (check.kind) {
    case "http":
      return lookHttp(check, context);
    case "tcp":
      return lookTcp(check.port, context);
    case "grpc":
      return lookGrpc(check, context);
    case "exec":
      return lookExec(check.command, context);
    default:
      return check satisfies never;
  }
}

function lookHttp(check: Extract<WorkloadCheck, { kind: "http" }>, { address, timeoutMs }: ProbeContext): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { "user-agent": "weir-health", connection: "close", ...check.headers };
    const call = request({ host: address, port: check.port, path: check.path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const { statusCode = 0 } = response;
      response.on("error", () => undefined);
      response.resume();
      resolve(statusCode >= 200 && statusCode < 400 ? undefined : `status ${statusCode}`);
      call.destroy();
    });
    call.on("error", (error) => resolve(explain(error, timeoutMs)));
    call.end();
  });
}

function lookTcp(port: number, { address, timeoutMs }: ProbeContext): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal: AbortSignal.timeout(timeoutMs) }, () => {
      resolve(undefined);
      socket.destroy();
    });
    socket.on("error", (error) => resolve(explain(error, timeoutMs)));
  });
}

async function lookGrpc(check: Extract<WorkloadCheck, { kind: "grpc" }>, { address, timeoutMs }: ProbeContext): Promise<string | undefined> {
  try {
    return (await isServing({ host: address, port: check.port, service: check.service, timeoutMs })) ? undefined : "not serving";
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.code === Status.deadlineExceeded) return `no answer in ${timeoutMs} ms`;
    if (error.code === Status.unavailable && error.cause instanceof Error) return explain(error.cause, timeoutMs);
    return `grpc status ${error.code}: ${error.message}`.slice(0, 160);
  }
}

async function lookExec(command: readonly string[], context: ProbeContext): Promise<string | undefined> {
  const finished = await runProgram(context.enter(command), { timeoutMs: context.timeoutMs, env: context.env }).catch((error: Error) => ({
    code: null,
    signal: null,
    output: error.message,
  }));
  if (finished.code === 0) return undefined;
  const end = finished.signal === "SIGKILL" ? `no end in ${context.timeoutMs} ms` : `code ${finished.code}`;
  return finished.output === "" ? end : `${end}: ${finished.output.split("\n").at(-1)?.slice(0, 160)}`;
}

function explain(error: Error, timeoutMs: number): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (error.name === "AbortError" || code === "ABORT_ERR") return `no answer in ${timeoutMs} ms`;
  if (code === "ECONNREFUSED") return "connection refused";
  return code ?? error.message;
}
