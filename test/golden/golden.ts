/** Golden folders: `CASE/in.yaml` is a user's file, beside it stands what every emitter makes of it, and `problems.txt` if anything is wrong with it. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { type Compiled, compileWorld } from "../../src/compile/compile.ts";
import { type EnvoyConfig, emitEnvoy } from "../../src/emit/envoy/emit.ts";
import type { EnvoyResource } from "../../src/emit/envoy/resource.ts";
import { printStack } from "../../src/emit/export.ts";
import type { Problem, Result } from "../../src/lib/problem.ts";
import { nothingKnown } from "../../src/model/known-names.ts";
import { parseStack } from "../../src/model/parse-stack.ts";
import type { Stack } from "../../src/model/types.ts";
import { messageToJson } from "../../src/xds/descriptors.ts";
import { capturePoint, runningWorld } from "../support/running-world.ts";
import { stack as emptyStack } from "../support/stacks.ts";

export const goldenDir: string = import.meta.dirname;

/** What a file's secrets contain here; it must stand in no output. */
export const secret = "never-to-be-printed";

/** Names of all cases, sorted. */
export function goldenCases(): readonly string[] {
  return readdirSync(goldenDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The stack of a case, or what is wrong with its file. */
export function readCase(name: string): Result<Stack> {
  const source = {
    file: "in.yaml",
    dir: "/srv/app",
    text: readFileSync(path.join(goldenDir, name, "in.yaml"), "utf8"),
    files: {},
    env: { DB_PASSWORD: secret },
  };
  return parseStack(source, { known: nothingKnown });
}

/** A case's stack while it runs: one caller, and one workload of each service that may call anything. */
export function compileCase(stack: Stack): Compiled {
  const open = stack.services.filter((one) => one.egress);
  const captures = open.map((one, index) =>
    capturePoint(`${one.app}-${one.version}-1`, {
      namespace: one.namespace,
      app: one.app,
      version: one.version,
      egress: true,
      address: `100.64.0.${index + 3}`,
    }),
  );
  return compileWorld(runningWorld(stack, [capturePoint("caller-v1-1"), ...captures]));
}

interface Emitter {
  readonly file: string;
  emit(stack: Stack): { readonly text?: string; readonly problems: readonly Problem[] };
}

/** Every emitter, by the file that its output stands in. */
export const emitters: readonly Emitter[] = [{ file: "envoy.yaml", emit: printEnvoy }, exporter("gateway-api"), exporter("istio"), exporter("linkerd")];

function exporter(mesh: "gateway-api" | "istio" | "linkerd"): Emitter {
  return {
    file: `${mesh}.yaml`,
    emit(stack) {
      const printed = printStack(stack, mesh);
      return printed.ok ? { text: printed.value.yaml, problems: [] } : { problems: printed.problems };
    },
  };
}

/** Both Envoys' resources as proto3 JSON in YAML. What an empty mesh holds, too, stands only in the case `empty`. */
function printEnvoy(stack: Stack): { readonly text: string; readonly problems: readonly Problem[] } {
  const { plan, problems } = compileCase(stack);
  const config = emitEnvoy(plan);
  const always = stack.services.length + stack.routers.length === 0 ? new Set<string>() : fingerprints(emitEnvoy(compileCase(emptyStack({})).plan));
  const text = stringify({ node: byType("node", config, always), gateway: byType("gateway", config, always) }, { lineWidth: 0, aliasDuplicateObjects: false });
  return { text, problems };
}

const proxies = ["node", "gateway"] as const;

function fingerprint(proxy: (typeof proxies)[number], { typeUrl, name, body }: EnvoyResource): string {
  return [proxy, typeUrl, name, Buffer.from(body).toString("base64")].join(" ");
}

function fingerprints(config: EnvoyConfig): ReadonlySet<string> {
  return new Set(proxies.flatMap((proxy) => config[proxy].map((resource) => fingerprint(proxy, resource))));
}

function byType(proxy: (typeof proxies)[number], config: EnvoyConfig, always: ReadonlySet<string>): JsonObject {
  const result: Record<string, JsonValue[]> = {};
  for (const resource of config[proxy]) {
    if (always.has(fingerprint(proxy, resource))) continue;
    const type = resource.typeUrl.slice(resource.typeUrl.lastIndexOf(".") + 1);
    (result[type] ??= []).push(messageToJson(resource.typeUrl, resource.body));
  }
  return result;
}

/** Everything that belongs into a case's folder: file → content. */
export function expectedFiles(name: string): ReadonlyMap<string, string> {
  const stack = readCase(name);
  if (!stack.ok) return new Map([["problems.txt", printProblems("", stack.problems)]]);
  const outputs = emitters.map(({ file, emit }) => ({ file, ...emit(stack.value) }));
  const problems = outputs.map((output) => printProblems(`${output.file}: `, output.problems)).join("");
  const texts = outputs.flatMap(({ file, text }) => (text === undefined ? [] : [[file, text] as const]));
  return new Map([...texts, ...(problems === "" ? [] : [["problems.txt", problems] as const])]);
}

function printProblems(prefix: string, problems: readonly Problem[]): string {
  return problems
    .map(({ code, message, where, hint }) => {
      const place = where === undefined ? "" : `${where.file}:${where.line}:${where.column}: `;
      return `${prefix}${place}${code}: ${message}\n${hint === undefined ? "" : `    ${hint}\n`}`;
    })
    .join("");
}
