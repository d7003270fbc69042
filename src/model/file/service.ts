/** `services:` — the processes of the stack. */
import { quote } from "../quote.ts";
import { formatPort, parsePortArg, portHint, protocols } from "../ref.ts";
import type { Port, Service, WantedWeight } from "../types.ts";
import { buildHealth, healthShape } from "./health.ts";
import { checkStart, egressField, mountsField, programSynonyms, readProgram, startable, startFields, stopFields } from "./program.ts";
import type { Report } from "./report.ts";
import { readRunning, resourcesShape, scaleShape, volumesShape } from "./running.ts";
import { choice, duration, flag, label, percent, portNumber } from "./scalars.ts";
import { asAppName, asNamespace, asVersionName, readKey, type Scope } from "./scope.ts";
import { byKind, type Located, type LocatedEntry, type ObjectOf, object, oneOrMany, optional, refine, required, type Shape, scalar } from "./shape.ts";

const portText: Shape<Port> = scalar("a port", "80:8080/http", { type: ["string", "integer"] }, (node) => parsePortArg(node.text));
const portMap: Shape<Port> = refine(
  object("a port", {
    port: required(portNumber, "what callers use"),
    containerPort: optional(portNumber, "what the process listens on (default: port)"),
    protocol: optional(choice("a protocol", protocols), "http, http2, grpc or tcp (default http)"),
  }),
  ({ port, containerPort, protocol }) => port && { port: port.value, containerPort: containerPort?.value ?? port.value, protocol: protocol?.value ?? "http" },
);
/** `80:8080/http`, `8080`, or a map. */
export const portsShape: Shape<readonly Located<Port>[]> = oneOrMany(byKind("a port", portHint.replace("write ", ""), { scalar: portText, map: portMap }));

/** `APP-VERSION` of a version with volumes. */
const longestStatefulName = 52;

const serviceFields = {
  app: optional(label("app"), "the name that clients call (default: the key)"),
  version: optional(label("version"), "which version of the app this is (default v1)"),
  namespace: optional(label("namespace"), "where it lives (default: the file's)"),
  ...startFields,
  ports: optional(portsShape, "PORT[:CONTAINERPORT][/http|http2|grpc|tcp]"),
  public: optional(flag, "reachable through the gateway (default: true with an http or http2 port)"),
  health: optional(healthShape, "how to know that it works: a path, or start, ready and live checks"),
  scale: optional(scaleShape, "how many replicas (default 1): a number, per-node, or {min, max, cpu} to follow the use of the processor"),
  resources: optional(resourcesShape, "what each replica is sure to get on a cluster"),
  weight: optional(percent, "share of the app's traffic, in percent"),
  drain: optional(duration(0), "longest wait for requests in flight before it is stopped (default 30s)"),
  ...stopFields,
  egress: egressField,
  mounts: mountsField,
  volumes: optional(volumesShape, "folders of each replica's own that outlive it: NAME: /path, or NAME: {path, size, class}"),
};
export type ServiceFields = ObjectOf<typeof serviceFields>;

/** Words that users of other tools know. */
const synonyms = {
  ...programSynonyms, replicas: "scale", port: "ports", volume: "volumes", healthcheck: "health", stop_grace_period: "grace", expose: "ports",
}; // biome-ignore format: one table
export const serviceShape: Shape<ServiceFields> = startable(object("a service", serviceFields, synonyms));

/** A service as the file has it, with the places that later checks point to. */
export interface ReadService {
  readonly service: Service;
  readonly weight?: Located<WantedWeight>;
  readonly at: number;
}

/**
 * Completes one service with its defaults; what is wrong is reported. Adds it to the index of names.
 * Returns undefined when it has no usable name.
 */
export function buildService(entry: LocatedEntry<ServiceFields>, scope: Scope): ReadService | undefined {
  const fields = entry.value;
  const before = scope.report.count;
  const names = readNames(entry, scope);
  if (names === undefined) return undefined;
  checkStart("a service", entry, scope);
  const ports = readPorts(fields.ports?.value ?? [], scope.report);
  const program = readProgram(fields, names.namespace, scope);
  const running = readRunning(fields, new Set(program.mounts.map(({ path }) => path)), scope.report);
  if (running.volumes !== undefined) checkNameLength(names, entry.keyAt, scope.report);
  const service: Service = {
    ...names,
    ...program,
    ports,
    public: fields.public?.value ?? ports.some(({ protocol }) => protocol === "http" || protocol === "http2"),
    health: fields.health === undefined ? {} : buildHealth(fields.health.value, ports, scope.report),
    ...running,
    drainMs: fields.drain?.value ?? 30_000,
  };
  const weight = fields.weight && { at: fields.weight.at, value: { ...names, weight: fields.weight.value } };
  scope.names.addService(service, entry.isSound && scope.report.count === before);
  return { service, at: entry.keyAt, ...(weight && { weight }) };
}

function readNames(entry: LocatedEntry<ServiceFields>, scope: Scope): Pick<Service, "namespace" | "app" | "version"> | undefined {
  const { app, version, namespace } = entry.value;
  const key = readKey(entry, scope, namespace);
  if (key === undefined) return undefined;
  if (key.version !== undefined && version !== undefined && key.version !== version.value) {
    scope.report.add(version.at, "name-conflict", `the key says version ${key.version}, this says ${version.value}`, "say it in one place");
  }
  if (key.version !== undefined && app !== undefined && key.name !== app.value) {
    scope.report.add(app.at, "name-conflict", `the key says app ${key.name}, this says ${app.value}`, "say it in one place");
  }
  return {
    namespace: asNamespace(key.namespace),
    app: asAppName(app?.value ?? key.name),
    version: asVersionName(version?.value ?? key.version ?? "v1"),
  };
}

/** A cluster names the revisions of what has volumes, and its replicas, after the version, with up to eleven characters more. */
function checkNameLength({ app, version }: Pick<Service, "app" | "version">, at: number, report: Report): void {
  const excess = app.length + 1 + version.length - longestStatefulName;
  if (excess > 0)
    report.add(at, "name-invalid", `${quote(`${app}-${version}`)} is too long for a version with volumes`, `make it ${excess} characters shorter`);
}

/** Checks that no two ports say the same number. For services and external services. */
export function readPorts(ports: readonly Located<Port>[], report: Report): readonly Port[] {
  const seen = new Map<number, Port>();
  for (const { value, at } of ports) {
    const first = seen.get(value.port);
    if (first === undefined) seen.set(value.port, value);
    else report.add(at, "duplicate-port", `port ${value.port} is here twice`, `the first is ${formatPort(first)}`);
  }
  return [...seen.values()];
}
