/** weir.yaml → Stack: every default filled in, every mistake found, each with its place. */

import { lastPathPart } from "../lib/posix-path.ts";
import type { Problem, Result } from "../lib/problem.ts";
import { checkHosts, checkNames, checkWeights } from "./file/clash.ts";
import { buildData, configsShape, secretsShape } from "./file/data.ts";
import { buildExternal, type ExternalFields, externalShape } from "./file/external.ts";
import { buildJob, type JobFields, jobShape } from "./file/job.ts";
import { Report } from "./file/report.ts";
import { buildRouter, type RouterFields, routerShape } from "./file/router.ts";
import { choice, label } from "./file/scalars.ts";
import { asNamespace, NameIndex, type Runs, type Scope } from "./file/scope.ts";
import { buildService, type ServiceFields, serviceShape } from "./file/service.ts";
import { listOf, mapOf, type ObjectOf, object, optional } from "./file/shape.ts";
import { readYaml } from "./file/yaml-tree.ts";
import { type KnownNames, nothingKnown } from "./known-names.ts";
import { defaultNamespace, isLabel, type Namespace } from "./names.ts";
import type { Stack } from "./types.ts";

/** A file as somebody read it, with everything that it refers to. */
export interface SourceText {
  /** Name for messages. */
  readonly file: string;
  readonly text: string;
  /** Absolute folder that relative paths start from. */
  readonly dir: string;
  /** Contents of files, by the path as written. */
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

export interface ParseOptions {
  /** Instead of what the file or its folder says. */
  readonly stack?: string;
  /** Instead of the file's own default namespace. */
  readonly namespace?: Namespace;
  /** Where the file says none; absent: `default`. */
  readonly fallbackNamespace?: Namespace;
  /** What the platform starts, so that services must say it; absent: a command or an image. */
  readonly runs?: Runs;
  /** Names that exist apart from the file. */
  readonly known?: KnownNames;
}

const services = mapOf<ServiceFields>("the services", serviceShape);
const jobs = mapOf<JobFields>("the jobs", jobShape);
const routers = mapOf<RouterFields>("the routers", routerShape);
const externals = mapOf<ExternalFields>("the external services", externalShape);

const stackFields = {
  weir: optional(choice("a version of this format", ["v1"]), "version of this format: v1"),
  stack: optional(label("stack"), "name of what this file owns (default: the folder's name)"),
  namespace: optional(label("namespace"), "where everything below lives that does not say its own (default: default)"),
  namespaces: optional(listOf("the namespaces", label("namespace")), "namespaces to have, even if nothing is in them"),
  services: optional(services, "what runs"),
  jobs: optional(jobs, "what runs to its end, once or by a schedule"),
  routers: optional(routers, "host names and rules in front of apps"),
  externalServices: optional(externals, "services outside the mesh under names of ours"),
  configs: optional(configsShape, "named texts"),
  secrets: optional(secretsShape, "named texts that are never printed"),
};
const synonyms = {
  service: "services",
  apps: "services",
  job: "jobs",
  cronjobs: "jobs",
  cronJobs: "jobs",
  router: "routers",
  external: "externalServices",
  externals: "externalServices",
  config: "configs",
  secret: "secrets",
  version: "weir",
  name: "stack",
};

/** The shape of a whole file; its schema is what editors use. */
export const stackShape = object("the file", stackFields, synonyms);

/** Reads a stack. All problems at once, in the order of the file. Never throws, whatever the text is. */
export function parseStack(source: SourceText, options: ParseOptions = {}): Result<Stack> {
  const report = new Report(source.file, source.text);
  const tree = readYaml(source.text, report);
  const fields = tree === undefined ? undefined : stackShape.read(tree, report, 0);
  const stack = fields === undefined ? undefined : buildStack(fields, { source, options, report });
  // Without a stack something was reported.
  return report.result(stack as Stack);
}

/** The name of the stack that a source declares, as `parseStack` would give it; undefined when the source is too broken to have one. */
export function stackNameOf(source: SourceText, options: ParseOptions = {}): string | undefined {
  const report = new Report(source.file, source.text);
  const tree = readYaml(source.text, report);
  const fields = tree === undefined ? undefined : stackShape.read(tree, report, 0);
  return fields === undefined ? undefined : stackName(fields, { source, options, report });
}

/** The namespaces that a source is about, as far as it can be read; its own default one at least. */
export function stackNamespaces(source: SourceText, options: ParseOptions = {}): readonly Namespace[] {
  const report = new Report(source.file, source.text);
  const tree = readYaml(source.text, report);
  const fields = tree === undefined ? undefined : stackShape.read(tree, report, 0);
  const usual = options.namespace ?? options.fallbackNamespace ?? defaultNamespace;
  const found = fields === undefined ? [] : buildStack(fields, { source, options, report }).namespaces;
  return found.length === 0 ? [usual] : found;
}

interface Reading {
  readonly source: SourceText;
  readonly options: ParseOptions;
  readonly report: Report;
}

function buildStack(fields: ObjectOf<typeof stackFields>, { source, options, report }: Reading): Stack {
  const known = options.known ?? nothingKnown;
  const namespace =
    options.namespace ?? (fields.namespace === undefined ? (options.fallbackNamespace ?? defaultNamespace) : asNamespace(fields.namespace.value));
  const scope: Scope = { report, dir: source.dir, files: source.files, env: source.env, runs: options.runs, namespace, names: new NameIndex(known) };
  // In this order: what is referred to comes before what refers to it.
  const configs = (fields.configs?.value ?? []).flatMap((entry) => buildData("config", entry, scope) ?? []);
  const secrets = (fields.secrets?.value ?? []).flatMap((entry) => buildData("secret", entry, scope) ?? []);
  const readServices = (fields.services?.value ?? []).flatMap((entry) => buildService(entry, scope) ?? []);
  const readJobs = (fields.jobs?.value ?? []).flatMap((entry) => buildJob(entry, scope) ?? []);
  const readExternals = (fields.externalServices?.value ?? []).flatMap((entry) => {
    const external = buildExternal(entry, scope);
    return external === undefined ? [] : [{ external, at: entry.keyAt }];
  });
  const readRouters = (fields.routers?.value ?? []).flatMap((entry) => buildRouter(entry, scope) ?? []);
  checkNames({ services: readServices, jobs: readJobs, routers: readRouters, externals: readExternals }, known, report);
  checkHosts(readRouters, report);
  checkWeights(readServices, known, report);
  const stack = {
    name: stackName(fields, { source, options, report }),
    services: readServices.map(({ service }) => service),
    weights: readServices.flatMap(({ weight }) => (weight === undefined ? [] : [weight.value])),
    jobs: readJobs.map(({ job }) => job),
    routers: readRouters.map(({ router }) => router),
    externals: readExternals.map(({ external }) => external),
    configs,
    secrets,
  };
  const used = [stack.services, stack.jobs, stack.routers, stack.externals, configs, secrets].flat().map((named) => named.namespace);
  const said = (fields.namespaces?.value ?? []).map(({ value }) => asNamespace(value));
  return { ...stack, namespaces: [...new Set([...said, ...used])].toSorted() };
}

/** What the caller says, else the file, else its folder, in lower case with `-` for what a name cannot have. */
function stackName(fields: ObjectOf<typeof stackFields>, { source, options, report }: Reading): string {
  const written = options.stack ?? fields.stack?.value;
  const name =
    written ??
    lastPathPart(source.dir)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 63)
      .replace(/-+$/, "");
  if (isLabel(name)) return name;
  const problem: Problem = {
    code: "name-invalid",
    message: written === undefined ? "the folder's name gives no name for the stack" : `"${name}" cannot be a stack's name`,
    hint: "add stack: NAME (letters, digits and -)",
  };
  report.addProblem(fields.stack?.at ?? 0, problem);
  return "stack";
}
