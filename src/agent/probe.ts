/** One look at a workload's health. The check's own limits are here; when to look again is decided elsewhere. */
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { runProgram } from "../dataplane/shell.ts";
import type { WorkloadCheck } from "./contract.ts";

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

/** grpc.health.v1.Health/Check by hand: one string field out, one enum field in. */
function lookGrpc(check: Extract<WorkloadCheck, { kind: "grpc" }>, { address, timeoutMs }: ProbeContext): Promise<string | undefined> {
  const name = Buffer.from(check.service);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}:${check.port}`);
    const timer = setTimeout(() => end(`no answer in ${timeoutMs} ms`), timeoutMs);
    const end = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem);
      session.destroy();
    };
    session.on("error", (error) => end(explain(error, timeoutMs)));
    const stream = session.request({ ":method": "POST", ":path": "/grpc.health.v1.Health/Check", "content-type": "application/grpc", te: "trailers" });
    let body = Buffer.alloc(0);
    let status = "";
    stream.on("error", (error: Error) => end(explain(error, timeoutMs)));
    stream.on(
      "response",
      (headers) => (status = String(headers["grpc-status"] ?? (Number(headers[":status"]) === 200 ? "" : `(HTTP ${String(headers[":status"])})`))),
    );
    stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"] ?? status)));
    stream.on("data", (piece: Buffer) => (body = Buffer.concat([body, piece])));
    stream.on("end", () => end(status !== "0" ? `grpc status ${status}` : body.at(5) === 0x08 && body.at(6) === 1 ? undefined : "not serving"));
    stream.end(frame);
  });
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
