/** What services and jobs have in common: a program, what it gets, and how it is stopped. */
import { resolvePath } from "../../lib/posix-path.ts";
import type { Problem } from "../../lib/problem.ts";
import type { Namespace } from "../names.ts";
import { quote } from "../quote.ts";
import type { EnvValue, Mount, Service } from "../types.ts";
import { words } from "./command.ts";
import type { Report } from "./report.ts";
import { absolutePath, choice, duration, filledText, flag, imageName, label, text } from "./scalars.ts";
import { checkDataRef, type Scope } from "./scope.ts";
import {
  byKind,
  type Located,
  type LocatedEntry,
  listOf,
  mapOf,
  type ObjectOf,
  object,
  optional,
  orElse,
  refine,
  required,
  type Shape,
  soundOnly,
} from "./shape.ts";

/** How a process may be asked to stop. */
export const stopSignals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL"] as const;

const dataRefFields = {
  config: optional(label("config"), "name of a config"),
  secret: optional(label("secret"), "name of a secret"),
  key: optional(filledText, "which of its keys"),
};
const envValue = byKind("a value", "text, {config: NAME, key: KEY} or {secret: NAME, key: KEY}", { scalar: text, map: object("a value", dataRefFields) });
const envShape = byKind("the environment", "NAME: value, or a list of NAME=value", {
  map: mapOf("the environment", envValue),
  list: refine(listOf("the environment", text), splitAssignments),
});

const mountShape = soundOnly(
  object("a mount", { ...dataRefFields, path: required(absolutePath, "where it appears in the workload: a file for one key, else a folder") }),
);

/** In place of a command that was wrong: it was there, and what is wrong with it was said. */
const unreadWords: readonly string[] = [];

export const startFields = {
  command: optional(orElse(words, unreadWords), "what to start: one line, or a list; on a cluster in place of the image's own"),
  image: optional(orElse(imageName, ""), "container image; what a cluster runs (one machine starts the command)"),
  args: optional(words, "more arguments"),
  dir: optional(filledText, "working directory, from the file's folder"),
  env: optional(envShape, "environment variables"),
};
export const stopFields = {
  grace: optional(duration(0), "time between the stop signal and SIGKILL (default 10s)"),
  stopSignal: optional(choice("a stop signal", stopSignals), "how to ask it to stop (default SIGTERM)"),
};
export const egressField = optional(flag, "may call anything outside the mesh (default false)");
export const mountsField = optional(listOf("mounts", mountShape), "configs and secrets as files");
const programFields = { ...startFields, ...stopFields, egress: egressField, mounts: mountsField };
type ProgramFields = ObjectOf<typeof programFields>;

/** Words that users of other tools know. */
export const programSynonyms = {
  cmd: "command", entrypoint: "command", container: "image", run: "command", environment: "env", limits: "resources", workingDir: "dir", working_dir: "dir",
  cwd: "dir",
} as const; // biome-ignore format: one table

/** The shape of what needs a command or an image: editors are told so. */
export function startable<T>(shape: Shape<T>): Shape<T> {
  return { ...shape, schema: { ...shape.schema, anyOf: [{ required: ["command"] }, { required: ["image"] }] } };
}

/** The program with its defaults; what it refers to is checked, and what is wrong reported. */
export function readProgram(
  fields: ProgramFields,
  namespace: Namespace,
  scope: Scope,
): Pick<Service, "image" | "command" | "dir" | "env" | "mounts" | "graceMs" | "stopSignal" | "egress"> {
  return {
    command: readCommand(fields, scope.report),
    ...(fields.image === undefined ? {} : { image: fields.image.value }),
    // A container starts in its image's folder, wherever this file is.
    dir: scope.runs === "images" ? "/" : resolvePath(scope.dir, fields.dir?.value ?? "."),
    env: readEnv(fields, namespace, scope),
    mounts: readMounts(fields, namespace, scope),
    graceMs: fields.grace?.value ?? 10_000,
    stopSignal: fields.stopSignal?.value ?? "SIGTERM",
    egress: fields.egress?.value ?? false,
  };
}

/** Each platform needs its own: one machine starts a command, a cluster runs an image. `noun` is for messages: "a service". */
export function checkStart(
  noun: string,
  { value: { command, image, args }, keyAt }: LocatedEntry<Pick<ProgramFields, "command" | "image" | "args">>,
  { report, runs }: Scope,
): void {
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
function readCommand({ command, args }: ProgramFields, report: Report): readonly string[] {
  if (command?.value === unreadWords) return [];
  if (command !== undefined && (command.value[0] ?? "") === "") report.add(command.at, "command-invalid", "the command names no program");
  const program = command?.value[0] ?? "";
  if (command !== undefined && /^[A-Za-z_]\w*=/.test(program)) {
    report.add(command.at, "command-needs-shell", `${quote(program)} is no program`, "set variables under env");
  }
  return [...(command?.value ?? []), ...(args?.value ?? [])];
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
function readEnv({ env }: ProgramFields, namespace: Namespace, scope: Scope): Readonly<Record<string, EnvValue>> {
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
function readMounts({ mounts }: ProgramFields, namespace: Namespace, scope: Scope): readonly Mount[] {
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
