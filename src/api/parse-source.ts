import type { Declared, DeclaredSnapshot, Kind } from "../model/declared.ts";
import type { Runs } from "../model/file/scope.ts";
import type { KnownNames } from "../model/known-names.ts";
import type { Namespace } from "../model/names.ts";
import { parseStack, stackNameOf } from "../model/parse-stack.ts";
import type { Stack } from "../model/types.ts";
import type { PlanRequest } from "./contract.ts";
import { need, refuse } from "./refusal.ts";

/** Reads the file of a request, with what is declared elsewhere. Refuses with all of its mistakes, each with its place. */
export function parseSource(snapshot: DeclaredSnapshot, { source, stack, namespace, fallbackNamespace }: PlanRequest, runs: Runs): Stack {
  const options = {
    runs,
    ...(stack === undefined ? {} : { stack }),
    ...(namespace === undefined ? {} : { namespace: namespace as Namespace }),
    ...(fallbackNamespace === undefined ? {} : { fallbackNamespace: fallbackNamespace as Namespace }),
  };
  const own = stackNameOf(source, options);
  const parsed = need(parseStack(source, { ...options, known: knownNames(snapshot, own) }));
  if (isEmpty(parsed)) throw refuse("stack-empty", `${source.file} declares nothing`, { hint: `to take the stack down: weir down ${parsed.name}` });
  return parsed;
}

/** A file that was cut off must not take everything down that it declared before. */
function isEmpty({ services, jobs, routers, externals, configs, secrets, namespaces }: Stack): boolean {
  return [services, jobs, routers, externals, configs, secrets, namespaces].every((list) => list.length === 0);
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
    jobs: values("job").map(({ job }) => job),
    routers: values("router"),
    externals: values("external"),
    configs: data("config"),
    secrets: data("secret"),
  };
}
