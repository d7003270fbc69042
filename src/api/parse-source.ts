import { parseDocument } from "yaml";
import type { Declared, DeclaredSnapshot, Kind } from "../model/declared.ts";
import type { KnownNames } from "../model/known-names.ts";
import type { Namespace } from "../model/names.ts";
import { type ParseOptions, parseStack } from "../model/parse-stack.ts";
import type { Stack } from "../model/types.ts";
import type { PlanRequest, StackSource } from "./contract.ts";
import { need } from "./refusal.ts";

/** Reads the file of a request, with what is declared elsewhere. Refuses with all of its mistakes, each with its place. */
export function parseSource(snapshot: DeclaredSnapshot, { source, stack, namespace }: PlanRequest): Stack {
  const options = { ...(stack === undefined ? {} : { stack }), ...(namespace === undefined ? {} : { namespace: namespace as Namespace }) };
  const own = stackName(source, options);
  return need(parseStack(source, { ...options, known: knownNames(snapshot, own) }));
}

/** The name that the file will have, whatever is wrong with the rest of it: it decides which declared objects are the file's own. */
function stackName(source: StackSource, options: ParseOptions): string | undefined {
  const document = parseDocument(source.text, { logLevel: "silent" });
  const written: unknown = document.errors.length > 0 ? undefined : document.get("stack");
  const head = parseStack({ ...source, text: typeof written === "string" ? JSON.stringify({ stack: written }) : "weir: v1" }, options);
  return head.ok ? head.value.name : undefined;
}

/** Names that exist apart from the file of the stack `own`: those of others, and versions that a command staged. */
function knownNames(snapshot: DeclaredSnapshot, own: string | undefined): KnownNames {
  const isForeign = (object: Declared): boolean =>
    object.stack === undefined || object.stack !== own || ("origin" in object.value && object.value.origin === "command");
  const values = <K extends Kind>(kind: K): readonly Declared<K>["value"][] =>
    [...(snapshot.objects[kind] as ReadonlyMap<string, Declared<K>>).values()].filter((object) => isForeign(object as Declared)).map((object) => object.value);
  const data = (kind: "config" | "secret") => values(kind).map((value) => ({ namespace: value.namespace, name: value.name, keys: Object.keys(value.data) }));
  return {
    services: values("service").map(({ service }) => service),
    routers: values("router"),
    externals: values("external"),
    configs: data("config"),
    secrets: data("secret"),
  };
}
