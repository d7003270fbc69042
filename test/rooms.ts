/** The rooms of src/ as data, and a scanner that finds what breaks them. The reasons are in docs/architecture.md. */
import path from "node:path";
import { parseSync } from "oxc-parser";

interface Room {
  /** Rooms, or files and folders of rooms ("api/contract.ts"), that may be imported; its own room always may. */
  readonly may: readonly string[];
  /** npm packages that may be imported; absent: any. */
  readonly packages?: readonly string[];
  /** No Node modules, no clock, no randomness, no logging: the same input gives the same output. */
  readonly pure?: true;
}

/** By folder below src/; for a file, the longest folder that holds it counts. */
export const rooms: Readonly<Record<string, Room>> = {
  lib: { may: [], packages: ["fastest-levenshtein", "re2js"], pure: true },
  model: { may: ["lib"], packages: ["croner", "yaml", "zod"], pure: true },
  release: { may: ["lib", "model"], packages: [], pure: true },
  compile: { may: ["lib", "model"], packages: [], pure: true },
  emit: { may: ["lib", "model", "compile"], packages: ["yaml"], pure: true },
  "emit/envoy": { may: ["lib", "model", "compile", "gen"], packages: ["@bufbuild/protobuf"], pure: true },
  rpc: { may: ["lib"], packages: [] },
  xds: { may: ["lib", "rpc", "gen"], packages: ["@bufbuild/protobuf"] },
  registry: { may: ["lib", "model"], packages: [] },
  store: { may: ["lib", "model"], packages: ["zod"] },
  "store/kubernetes": { may: ["lib", "model", "providers/kubernetes"], packages: [] },
  install: { may: ["lib", "model"], packages: [], pure: true },
  "install/cluster": { may: ["lib", "model", "identity", "providers/kubernetes", "agent/real-clock.ts"], packages: [] },
  providers: { may: ["lib", "model", "agent/contract.ts"] },
  dataplane: { may: ["lib", "rpc", "gen"], packages: ["@bufbuild/protobuf"] },
  agent: { may: ["lib", "dataplane", "rpc"] },
  "agent/cluster": { may: ["lib", "model", "dataplane", "rpc", "xds", "identity"], packages: ["@bufbuild/protobuf"] },
  identity: { may: ["lib", "model", "rpc", "gen"], packages: ["@bufbuild/protobuf", "@peculiar/x509", "reflect-metadata", "zod"] },
  telemetry: { may: ["lib", "model"] },
  api: { may: ["lib", "model", "release", "compile", "emit"] },
  daemon: {
    may: ["lib", "model", "release", "compile", "emit", "rpc", "xds", "registry", "store", "providers", "dataplane", "agent", "identity", "telemetry", "api"],
  },
  front: { may: ["lib", "model", "release", "compile", "api", "store", "providers", "install/cluster/connect.ts"] },
  cli: { may: ["lib", "model", "api/contract.ts", "emit/export.ts", "install", "front"], packages: ["commander", "tar-stream", "yaml"] },
};

/** Packages that take long to load: only one room may import them, and only when they are needed (`await import(…)`; types are free). */
const lazyPackages: Readonly<Record<string, string>> = { "@kubernetes/client-node": "providers/kubernetes" };

/** Files that are pure although their room is not: each provider's translation. */
const pureFile = /^providers\/.+\/translate(\.|-|\/)/;

const limits = { fileLines: 500, testFileLines: 700, functionLines: 80 };

const impureGlobals: ReadonlySet<string> = new Set(
  "Buffer console crypto fetch globalThis performance process queueMicrotask setImmediate setInterval setTimeout".split(" "),
);
const impureMembers: ReadonlySet<string> = new Set(["Date.now", "Math.random"]);

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** Calls `visit` for every node below `value`, parents first. */
function walk(value: unknown, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit, parent);
    return;
  }
  if (!isNode(value)) return;
  visit(value, parent);
  for (const child of Object.values(value)) if (typeof child === "object") walk(child, visit, value);
}

/** What a node imports: a specifier, "?" when it is computed, undefined when it imports nothing. */
function importedBy(node: Node): string | undefined {
  const isRequire = node.type === "CallExpression" && isNode(node["callee"]) && node["callee"]["name"] === "require";
  const source = isRequire ? (node["arguments"] as readonly unknown[])[0] : node["source"];
  if (!isRequire && !/^(Import|Export|TSImport)/.test(node.type)) return undefined;
  if (!isNode(source)) return undefined;
  return source.type === "Literal" && typeof source["value"] === "string" ? source["value"] : "?";
}

/** The dotted name of `Date.now`, or the plain name of a global; undefined for names that only look like one. */
function reference(node: Node, parent: Node | undefined): string | undefined {
  if (node.type === "MemberExpression" && isNode(node["object"]) && isNode(node["property"]))
    return `${String(node["object"]["name"])}.${String(node["property"]["name"])}`;
  if (node.type === "NewExpression" && isNode(node["callee"]) && node["callee"]["name"] === "Date" && (node["arguments"] as readonly unknown[]).length === 0)
    return "new Date()";
  if (node.type !== "Identifier") return undefined;
  const isLabel = parent !== undefined && parent["computed"] !== true && (parent["property"] === node || parent["key"] === node);
  const isType = parent?.type.startsWith("TS") === true;
  return isLabel || isType ? undefined : String(node["name"]);
}

function isImpure(name: string): boolean {
  return name === "new Date()" || impureGlobals.has(name) || impureMembers.has(name);
}

/** Loads what it imports as soon as its own file is loaded. */
function isStatic(node: Node): boolean {
  return /^(ImportDeclaration|Export)/.test(node.type) && node["importKind"] !== "type" && node["exportKind"] !== "type";
}

/** What loading a file loads: specifiers of imports that are neither lazy nor of types only. */
export function staticImports(file: string, source: string): readonly string[] {
  const found: string[] = [];
  walk(parseSync(file, source).program, (node) => {
    const specifier = isStatic(node) ? importedBy(node) : undefined;
    if (specifier !== undefined) found.push(specifier);
  });
  return found;
}

function whyNotLazy(file: string, node: Node, specifier: string): string | undefined {
  const name = packageOf(specifier);
  const owner = lazyPackages[name];
  if (owner === undefined) return undefined;
  if (!file.startsWith(`${owner}/`)) return `may not import the package ${name}: only ${owner} does`;
  return isStatic(node) ? `loads ${name} at once: import it where it is needed` : undefined;
}

function roomOf(file: string): string | undefined {
  return Object.keys(rooms)
    .filter((name) => file.startsWith(`${name}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Why `file` may not import `specifier`; undefined when it may. */
function whyNot(file: string, room: Room, pure: boolean, specifier: string): string | undefined {
  if (specifier === "?") return "imports a computed name, which nobody can check";
  if (specifier.startsWith("node:")) return pure ? `is pure and may not import ${specifier}` : undefined;
  if (!specifier.startsWith("."))
    return (room.packages?.includes(packageOf(specifier)) ?? true) ? undefined : `may not import the package ${packageOf(specifier)}`;
  const target = path.posix.relative("src", path.posix.join("src", path.posix.dirname(file), specifier)).replace(/^\.\.\/gen\//, "gen/");
  const allowed = [file.split("/")[0], ...room.may].some((place) => target === place || target.startsWith(`${place}/`));
  return allowed ? undefined : `may not import ${target}`;
}

interface FunctionSpan {
  readonly name: string;
  readonly start: number;
  readonly lines: number;
}

function functionSpan(node: Node, parent: Node | undefined, source: string): FunctionSpan | undefined {
  if (!/Function(Declaration|Expression)$/.test(node.type)) return undefined;
  const named = [node["id"], parent?.["id"], parent?.["key"]].find((id) => isNode(id) && typeof id["name"] === "string");
  return { name: isNode(named) ? String(named["name"]) : "a function", start: node.start, lines: source.slice(node.start, node.end).split("\n").length };
}

/**
 * Finds everything in one source file that the house rules forbid.
 * @param file path below src/, with slashes
 * @param source its text
 * @returns sentences, each beginning with `src/FILE:LINE`
 */
export function violations(file: string, source: string): readonly string[] {
  const found: string[] = [];
  const isTest = file.endsWith(".test.ts");
  const say = (offset: number, text: string) => found.push(`src/${file}:${source.slice(0, offset).split("\n").length}: ${text}`);
  const parsed = parseSync(file, source);
  for (const problem of parsed.errors) say(0, problem.message);

  const lines = source.trimEnd().split("\n").length;
  const limit = isTest ? limits.testFileLines : limits.fileLines;
  if (lines > limit) say(0, `has ${lines} lines; ${limit} is the limit`);

  const name = roomOf(file);
  const room = name === undefined ? undefined : rooms[name];
  if (room === undefined) say(0, "is in no room: add its folder to test/rooms.ts and docs/architecture.md");
  const pure = room?.pure === true || pureFile.test(file);
  const docEnds = parsed.comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*")).map((comment) => comment.end);

  walk(parsed.program, (node, parent) => {
    if (node.type === "TSAnyKeyword") say(node.start, "uses `any`");
    if (isTest || room === undefined) return;
    const specifier = importedBy(node);
    const reason = specifier === undefined ? undefined : (whyNotLazy(file, node, specifier) ?? whyNot(file, room, pure, specifier));
    if (reason !== undefined) say(node.start, reason);
    const named = pure ? reference(node, parent) : undefined;
    if (named !== undefined && isImpure(named)) say(node.start, `is pure and may not use ${named}`);
    if (node.type === "ExportDefaultDeclaration") say(node.start, "has a default export");
    const span = functionSpan(node, parent, source);
    if (span !== undefined && span.lines > limits.functionLines) say(span.start, `${span.name} has ${span.lines} lines; ${limits.functionLines} is the limit`);
    const isExportedFunction = node.type === "ExportNamedDeclaration" && isNode(node["declaration"]) && node["declaration"].type === "FunctionDeclaration";
    if (isExportedFunction && !docEnds.some((end) => end <= node.start && source.slice(end, node.start).trim() === ""))
      say(node.start, `the exported function ${functionSpan(node["declaration"] as Node, undefined, source)?.name} has no doc comment`);
  });
  return found;
}
