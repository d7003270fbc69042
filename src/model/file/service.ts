/** `services:` — the processes of the stack. */
import { resolvePath } from "../../lib/posix-path.ts";
import type { Problem } from "../../lib/problem.ts";
import type { Namespace } from "../names.ts";
import { quote } from "../quote.ts";
import { formatPort, parsePortArg, portHint, protocols } from "../ref.ts";
import type { EnvValue, Mount, Port, Service, WantedWeight } from "../types.ts";
import { words } from "./command.ts";
import { buildHealth, healthShape } from "./health.ts";
import type { Report } from "./report.ts";
import { readRunning, resourcesShape, scaleShape, volumesShape } from "./running.ts";
import { absolutePath, choice, duration, filledText, flag, imageName, label, percent, portNumber, text } from "./scalars.ts";
import { asAppName, asNamespace, asVersionName, checkDataRef, readKey, type Scope } from "./scope.ts";
import {
  byKind,
  type Located,
  type LocatedEntry,
  listOf,
  mapOf,
  type ObjectOf,
  object,
  oneOrMany,
  optional,
  orElse,
  refine,
  required,
  type Shape,
  scalar,
  soundOnly,
} from "./shape.ts";

/** How a process may be asked to stop. */
export const stopSignals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL"] as const;

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

const dataRefFields = {
  config: optional(label("config"), "name of a config"),
  secret: optional(label("secret"), "name of a secret"),
  key: optional(filledText, "which of its keys"),
};
const envValue = byKind("a value", "text, {config: NAME, key: KEY} or {secret: NAME, key: KEY}", { scalar: text, map: object("a value", dataRefFields) });
export const envShape = byKind("the environment", "NAME: value, or a list of NAME=value", {
  map: mapOf("the environment", envValue),
  list: refine(listOf("the environment", text), splitAssignments),
});

export const mountShape = soundOnly(
  object("a mount", { ...dataRefFields, path: required(absolutePath, "where it appears in the workload: a file for one key, else a folder") }),
);

/** `APP-VERSION` of a version with volumes. */
const longestStatefulName = 52;

/** In place of a command that was wrong: it was there, and what is wrong with it was said. */
export const unreadWords: readonly string[] = [];

const serviceFields = {
  app: optional(label("app"), "the name that clients call (default: the key)"),
  version: optional(label("version"), "which version of the app this is (default v1)"),
  namespace: optional(label("namespace"), "where it lives (default: the file's)"),
  command: optional(orElse(words, unreadWords), "what to start: one line, or a list; on a cluster in place of the image's own"),
  image: optional(orElse(imageName, ""), "container image; what a cluster runs (one machine starts the command)"),
  args: optional(words, "more arguments"),
  dir: optional(filledText, "working directory, from the file's folder"),
  env: optional(envShape, "environment variables"),
  ports: optional(portsShape, "PORT[:CONTAINERPORT][/http|http2|grpc|tcp]"),
  public: optional(flag, "reachable through the gateway (default: true with an http or http2 port)"),
  health: optional(healthShape, "how to know that it works: a path, or start, ready and live checks"),
  scale: optional(scaleShape, "how many replicas (default 1): a number, per-node, or {min, max, cpu} to follow the use of the processor"),
  resources: optional(resourcesShape, "what each replica is sure to get on a cluster"),
  weight: optional(percent, "share of the app's traffic, in percent"),
  drain: optional(duration(0), "longest wait for requests in flight before it is stopped (default 30s)"),
  grace: optional(duration(0), "time between the stop signal and SIGKILL (default 10s)"),
  stopSignal: optional(choice("a stop signal", stopSignals), "how to ask it to stop (default SIGTERM)"),
  egress: optional(flag, "may call anything outside the mesh (default false)"),
  mounts: optional(listOf("mounts", mountShape), "configs and secrets as files"),
  volumes: optional(volumesShape, "folders of each replica's own that outlive it: NAME: /path, or NAME: {path, size, class}"),
};
export type ServiceFields = ObjectOf<typeof serviceFields>;

/** Words that users of other tools know. */
const synonyms = {
  cmd: "command", entrypoint: "command", container: "image", run: "command", environment: "env", replicas: "scale", port: "ports", volume: "volumes", limits: "resources",
  healthcheck: "health", workingDir: "dir", working_dir: "dir", cwd: "dir", stop_grace_period: "grace", expose: "ports",
}; // biome-ignore format: one table
const fieldsShape: Shape<ServiceFields> = object("a service", serviceFields, synonyms);
export const serviceShape: Shape<ServiceFields> = {
  ...fieldsShape,
  schema: { ...fieldsShape.schema, anyOf: [{ required: ["command"] }, { required: ["image"] }] },
};

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
  const mounts = readMounts(fields, names.namespace, scope);
  const running = readRunning(fields, new Set(mounts.map(({ path }) => path)), scope.report);
  if (running.volumes !== undefined) checkNameLength(names, entry.keyAt, scope.report);
  const service: Service = {
    ...names,
    command: readCommand(fields, scope.report),
    ...(fields.image === undefined ? {} : { image: fields.image.value }),
    // A container starts in its image's folder, wherever this file is.
    dir: scope.runs === "images" ? "/" : resolvePath(scope.dir, fields.dir?.value ?? "."),
    env: readEnv(fields, names.namespace, scope),
    ports,
    public: fields.public?.value ?? ports.some(({ protocol }) => protocol === "http" || protocol === "http2"),
    health: fields.health === undefined ? {} : buildHealth(fields.health.value, ports, scope.report),
    ...running,
    mounts,
    drainMs: fields.drain?.value ?? 30_000,
    graceMs: fields.grace?.value ?? 10_000,
    stopSignal: fields.stopSignal?.value ?? "SIGTERM",
    egress: fields.egress?.value ?? false,
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

/** Of services and jobs: what is started, with what. */
export type StartFields = Pick<ServiceFields, "command" | "image" | "args" | "env" | "mounts">;

/** Each platform needs its own: one machine starts a command, a cluster runs an image. `noun` is for messages: "a service". */
export function checkStart(noun: string, { value: { command, image, args }, keyAt }: LocatedEntry<StartFields>, { report, runs }: Scope): void {
  const missing = (key: string, hint: string): void => report.add(keyAt, "missing-key", `${noun} needs ${key}`, hint);
  switch (runs) {
    case "commands":
      if (command === undefined) missing('"command"', "one machine starts a command: one line, or a list");
      break;
    case "images":
      if (image === undefined) missing('"image" on a cluster', "add image: NAME[:TAG]; a cluster runs containers");
      break;
    case undefined:
      if (command === undefined && image === undefined) missing('"command"', "what to start: one line, or a list");
  }
  if (args !== undefined && command === undefined) report.add(args.at, "missing-key", `${noun} with "args" needs "command"`, "write the program under command");
}

/** The program and its arguments; empty: the image's own, or it was wrong and was reported. */
export function readCommand({ command, args }: StartFields, report: Report): readonly string[] {
  if (command?.value === unreadWords) return [];
  if (command !== undefined && (command.value[0] ?? "") === "") report.add(command.at, "command-invalid", "the command names no program");
  const program = command?.value[0] ?? "";
  if (command !== undefined && /^[A-Za-z_]\w*=/.test(program)) {
    report.add(command.at, "command-needs-shell", `${quote(program)} is no program`, "set variables under env");
  }
  return [...(command?.value ?? []), ...(args?.value ?? [])];
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

type EnvEntries = readonly LocatedEntry<string | ObjectOf<typeof dataRefFields>>[];

function splitAssignments(items: readonly Located<string>[], _at: number, report: Report): EnvEntries {
  const seen = new Set<string>();
  return items.flatMap(({ value, at }) => {
    const cut = value.indexOf("=");
    const key = value.slice(0, cut);
    if (cut < 0) report.add(at, "env-invalid", `${quote(value)} sets nothing`, "write NAME=value");
    else if (seen.has(key)) report.add(at, "duplicate-key", `${quote(key)} is set twice`);
    if (cut < 0 || seen.has(key)) return [];
    seen.add(key);
    return [{ key, keyAt: at, value: value.slice(cut + 1), at, isSound: true }];
  });
}

/** What is wrong with a variable's name. */
export function variableMistake(name: string): Problem | undefined {
  if (/^[-._A-Za-z][-._A-Za-z0-9]*$/.test(name)) return undefined;
  return { code: "env-invalid", message: `${quote(name)} is not a variable's name`, hint: "use letters, digits and _" };
}

/** The environment, with what it refers to checked. */
export function readEnv({ env }: StartFields, namespace: Namespace, scope: Scope): Readonly<Record<string, EnvValue>> {
  const pairs = (env?.value ?? []).flatMap(({ key, keyAt, value, at, isSound }): readonly (readonly [string, EnvValue])[] => {
    const mistake = variableMistake(key);
    if (mistake !== undefined) scope.report.addProblem(keyAt, mistake);
    if (typeof value === "string") return [[key, { kind: "literal", value }]];
    const ref = isSound ? readDataRef(value, at, namespace, scope) : undefined;
    if (ref !== undefined && ref.key === undefined) scope.report.add(at, "missing-key", 'a value from a config or secret needs "key"', "add key: NAME");
    return ref?.key === undefined ? [] : [[key, { kind: ref.kind, name: ref.name, key: ref.key }]];
  });
  return Object.fromEntries(pairs);
}

type DataRef = Omit<Mount, "path">;

/** Reads `{config: NAME, key: KEY}` or `{secret: …}` and checks that it exists. */
function readDataRef({ config, secret, key }: ObjectOf<typeof dataRefFields>, at: number, namespace: Namespace, scope: Scope): DataRef | undefined {
  const name = config ?? secret;
  if (name === undefined || (config !== undefined && secret !== undefined)) {
    const said = name === undefined ? "neither a config nor a secret" : "both a config and a secret";
    scope.report.add(secret?.at ?? at, "data-ref-invalid", `this names ${said}`, "write {config: NAME, key: KEY} or {secret: NAME, key: KEY}");
    return undefined;
  }
  const kind = config === undefined ? "secret" : "config";
  checkDataRef(scope, kind, namespace, { name, key });
  return { kind, name: name.value, ...(key && { key: key.value }) };
}

/** The mounts, with what they refer to checked. */
export function readMounts({ mounts }: StartFields, namespace: Namespace, scope: Scope): readonly Mount[] {
  const paths = new Set<string>();
  return (mounts?.value ?? []).flatMap(({ value, at }) => {
    const ref = readDataRef(value, at, namespace, scope);
    if (ref === undefined || value.path === undefined) return [];
    const path = resolvePath("/", value.path.value);
    if (paths.has(path)) scope.report.add(value.path.at, "duplicate-mount", `something is mounted at ${quote(path)} already`);
    paths.add(path);
    return [{ ...ref, path }];
  });
}
