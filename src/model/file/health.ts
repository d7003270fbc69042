/** `health:` — three checks, or a path as shorthand for a readiness check over HTTP. */
import type { Health, Port, Probe, ProbeKind } from "../types.ts";
import { words } from "./command.ts";
import type { Report } from "./report.ts";
import { duration, headerValue, integer, portNumber, readHeaderName, text, urlPath } from "./scalars.ts";
import { byKind, type Located, type LocatedEntry, mapOf, type ObjectOf, object, optional, refine, type Shape, soundOnly } from "./shape.ts";

const probeFields = {
  http: optional(urlPath, "path to GET; 200 to 399 is healthy"),
  tcp: optional(portNumber, "port that must accept a connection"),
  grpc: optional(portNumber, "port that answers the gRPC health protocol"),
  exec: optional(words, "command that must exit with 0"),
  port: optional(portNumber, "port of the http check, as the process listens (default: the first http port)"),
  service: optional(text, "service name of the grpc check"),
  headers: optional(mapOf("headers", headerValue), "headers of the http check"),
  interval: optional(duration(100), "time between checks (default 2s)"),
  timeout: optional(duration(10), "longest wait for one check (default 1s)"),
  failures: optional(integer("a number of failures", 1, 1000), "failures in a row that make it unhealthy (default 3)"),
  successes: optional(integer("a number of successes", 1, 1000), "successes in a row that make it healthy (default 1)"),
  delay: optional(duration(0), "wait before the first check (default 0s)"),
};
type ProbeFields = ObjectOf<typeof probeFields>;
type FieldAt = Located<ProbeFields>;

const synonyms = { path: "http", cmd: "exec", command: "exec", initialDelay: "delay", threshold: "failures" };
const probeShape: Shape<ProbeFields> = soundOnly(object("a health check", probeFields, synonyms));

const healthFields = {
  start: optional(probeShape, "until it succeeds once the others wait"),
  ready: optional(probeShape, "while it fails the workload gets no traffic"),
  live: optional(probeShape, "when it fails the workload is restarted"),
};
type HealthFields = ObjectOf<typeof healthFields>;

const shorthand: Shape<HealthFields> = refine(urlPath, (path, at) => {
  const none = Object.fromEntries(Object.keys(probeFields).map((name) => [name, undefined])) as ProbeFields;
  return { start: undefined, ready: { value: { ...none, http: { value: path, at } }, at }, live: undefined };
});

export type { HealthFields };
export const healthShape: Shape<HealthFields> = byKind("a health check", "/healthz or {ready: {http: /healthz}}", {
  scalar: shorthand,
  map: object("health", healthFields, { readiness: "ready", liveness: "live", startup: "start", http: "ready" }),
});

/** Completes the checks of a service. `ports` are its own: the first http one is the default. */
export function buildHealth(fields: HealthFields, ports: readonly Port[], report: Report): Health {
  const start = fields.start && buildProbe(fields.start, ports, report);
  const ready = fields.ready && buildProbe(fields.ready, ports, report);
  const live = fields.live && buildProbe(fields.live, ports, report);
  return { ...(start && { start }), ...(ready && { ready }), ...(live && { live }) };
}

function buildProbe(field: FieldAt, ports: readonly Port[], report: Report): Probe | undefined {
  const { delay, interval, timeout, failures, successes } = field.value;
  const check = buildCheck(field, ports, report);
  if (check === undefined) return undefined;
  return {
    check,
    initialDelayMs: delay?.value ?? 0,
    intervalMs: interval?.value ?? 2000,
    timeoutMs: timeout?.value ?? 1000,
    failureThreshold: failures?.value ?? 3,
    successThreshold: successes?.value ?? 1,
  };
}

const kinds = ["http", "tcp", "grpc", "exec"] as const;
const belongsTo = { port: "http", headers: "http", service: "grpc" } as const;

function buildCheck({ value: fields, at }: FieldAt, ports: readonly Port[], report: Report): ProbeKind | undefined {
  const [kind, second] = kinds.filter((name) => fields[name] !== undefined);
  if (kind === undefined || second !== undefined) {
    const said = second === undefined ? "nothing to check" : `both ${kind} and ${second}`;
    report.add((second && fields[second]?.at) ?? at, "check-kind", `a health check says ${said}`, "say one of http, tcp, grpc or exec");
    return undefined;
  }
  for (const [name, owner] of Object.entries(belongsTo) as readonly (readonly [keyof typeof belongsTo, (typeof kinds)[number]])[]) {
    const value = fields[name];
    if (value !== undefined && owner !== kind) report.add(value.at, "check-kind", `${name} belongs to ${owner} checks`, `this is a check by ${kind}`);
  }
  switch (kind) {
    case "http":
      return httpCheck(fields, at, ports, report);
    case "tcp":
      return fields.tcp && { kind, port: fields.tcp.value };
    case "grpc":
      return fields.grpc && { kind, port: fields.grpc.value, service: fields.service?.value ?? "" };
    case "exec":
      if (fields.exec?.value.length === 0) report.add(fields.exec.at, "command-invalid", "the command is empty");
      return fields.exec && { kind, command: fields.exec.value };
    default:
      return kind satisfies never;
  }
}

function httpCheck(fields: ProbeFields, at: number, ports: readonly Port[], report: Report): ProbeKind | undefined {
  const port = fields.port?.value ?? ports.find(({ protocol }) => protocol === "http")?.containerPort;
  if (port === undefined) {
    report.add(
      fields.http?.at ?? at,
      "check-port",
      "this check needs a port: the service has no http port",
      "add port: 8080 to the check, or an http port to the service",
    );
    return undefined;
  }
  return { kind: "http", path: fields.http?.value ?? "/", port, headers: readHeaders(fields.headers?.value ?? [], report) };
}

function readHeaders(entries: readonly LocatedEntry<string>[], report: Report): Readonly<Record<string, string>> {
  const pairs = entries.flatMap(({ key, keyAt, value }) => {
    const name = readHeaderName(key);
    if (name.ok) return [[name.value, value] as const];
    for (const problem of name.problems) report.addProblem(keyAt, problem);
    return [];
  });
  return Object.fromEntries(pairs);
}
