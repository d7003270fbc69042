import type { Declared, DeclaredSnapshot, Kind } from "../model/declared.ts";
import type { KnownNames } from "../model/known-names.ts";
import type { Namespace } from "../model/names.ts";
import { parseStack } from "../model/parse-stack.ts";
import type { Stack } from "../model/types.ts";
import type { PlanRequest } from "./contract.ts";
import { need } from "./refusal.ts";

/** Reads the file of a request, with what is declared elsewhere. Refuses with all of its mistakes, each with its place. */
export function parseSource(snapshot: DeclaredSnapshot, { source, stack, namespace }: PlanRequest): Stack {
  const options = { ...(stack === undefined ? {} : { stack }), ...(namespace === undefined ? {} : { namespace: namespace as Namespace }) };
  // The file's own name decides which objects are its own, and only reading it tells the name.
  const first = parseStack(source, { ...options, known: knownNames(snapshot, () => true) });
  if (first.ok) return need(parseStack(source, { ...options, known: knownNames(snapshot, (object) => object.stack !== undefined && object.stack !== first.value.name) }));
  return need(first);
}

/** The names of declared objects for which `holds`. */
export function knownNames(snapshot: DeclaredSnapshot, holds: (object: Declared) => boolean): KnownNames {
  const values = <K extends Kind>(kind: K): readonly Declared<K>["value"][] => [...snapshot.objects[kind].values()].filter((object) => holds(object as Declared)).map((object) => object.value as Declared<K>["value"]);
  const data = (kind: "config" | "secret") => values(kind).map((value) => ({ namespace: value.namespace, name: value.name, keys: Object.keys(value.data) }));
  return {
    services: values("service").map(({ service }) => service),
    routers: values("router"),
    externals: values("external"),
    configs: data("config"),
    secrets: data("secret"),
  };
}
