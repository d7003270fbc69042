/** Finds what a user's reference names. */
import { didYouMean } from "../lib/did-you-mean.ts";
import type { Declared, DeclaredSnapshot, Kind } from "../model/declared.ts";
import { type AppName, type Namespace, objectKey, type VersionKey } from "../model/names.ts";
import { parseRef, type Ref } from "../model/ref.ts";
import { versionsOf } from "../release/stage.ts";
import { need, refuse } from "./refusal.ts";

type NamedKind = "job" | "router" | "external" | "config" | "secret";
const namedKinds = ["job", "router", "external", "config", "secret"] as const satisfies readonly NamedKind[];

export type Found =
  | { readonly kind: "app"; readonly namespace: Namespace; readonly app: AppName; readonly versions: readonly Declared<"service">[] }
  | { readonly kind: "version"; readonly namespace: Namespace; readonly app: AppName; readonly object: Declared<"service"> }
  | FoundNamed;
type FoundNamed = { readonly [K in NamedKind]: { readonly kind: K; readonly namespace: Namespace; readonly object: Declared<K> } }[NamedKind];

/** What `text` names in `snapshot`; `namespace` is the one for a ref without. Refuses with 404 and what it might have meant. */
export function findRef(snapshot: DeclaredSnapshot, text: string, namespace: string): Found {
  const ref = need(parseRef(text, namespace as Namespace));
  const found = findApp(snapshot, ref) ?? findNamed(snapshot, ref);
  if (found !== undefined) return found;
  const code = ref.version === undefined ? "not-found" : "version-unknown";
  throw refuse(code, `there is no ${ref.kind === undefined ? "" : `${ref.kind} `}${shown(ref)} in namespace ${ref.namespace}`, {
    hint: didYouMean(ref.name, namesIn(snapshot, ref.namespace)),
    status: 404,
  });
}

function findApp(snapshot: DeclaredSnapshot, ref: Ref): Found | undefined {
  if (ref.kind !== undefined && ref.kind !== "app" && ref.kind !== "service") return undefined;
  const [namespace, app] = [ref.namespace, ref.name as AppName];
  const versions = versionsOf(snapshot, namespace, app);
  if (ref.version === undefined) return versions.size === 0 ? undefined : { kind: "app", namespace, app, versions: [...versions.values()] };
  const object = versions.get(ref.version);
  return object === undefined ? undefined : { kind: "version", namespace, app, object };
}

function findNamed(snapshot: DeclaredSnapshot, ref: Ref): Found | undefined {
  if (ref.version !== undefined) return undefined;
  for (const kind of namedKinds) {
    if (ref.kind !== undefined && ref.kind !== kind) continue;
    const object = snapshot.objects[kind].get(objectKey(ref.namespace, ref.name));
    // Of this kind, as the snapshot says by its types; that both are of one kind is lost on the way.
    if (object !== undefined) return { kind, namespace: ref.namespace, object } as FoundNamed;
  }
  return undefined;
}

function shown(ref: Ref): string {
  return ref.version === undefined ? ref.name : `${ref.name}@${ref.version}`;
}

function namesIn(snapshot: DeclaredSnapshot, namespace: string): readonly string[] {
  const keys = (["app", ...namedKinds] as const satisfies readonly Kind[]).flatMap((kind) => [...snapshot.objects[kind].keys()]);
  return keys.filter((key) => key.startsWith(`${namespace}/`)).map((key) => key.slice(namespace.length + 1));
}

/** The declared versions that a ref names. Refuses what is no app and no version of one. */
export function findServices(snapshot: DeclaredSnapshot, text: string, namespace: string): readonly Declared<"service">[] {
  const found = findRef(snapshot, text, namespace);
  switch (found.kind) {
    case "app":
      return found.versions;
    case "version":
      return [found.object];
    case "job":
    case "router":
    case "external":
    case "config":
    case "secret":
      throw refuse("ref-kind-wrong", `${text} is a ${found.kind}; this needs an app`, { status: 422 });
  }
}

/** The same for an app with an optional version, as requests name them. */
export function findTargets(
  snapshot: DeclaredSnapshot,
  namespace: string,
  target: { readonly app: string; readonly version?: string },
): readonly Declared<"service">[] {
  return findServices(snapshot, `app/${target.app}${target.version === undefined ? "" : `@${target.version}`}`, namespace);
}

/** The declared job of a name. Refuses with 404 and what it might have meant. */
export function findJob(snapshot: DeclaredSnapshot, name: string, namespace: string): Declared<"job"> {
  const found = findRef(snapshot, `job/${name}`, namespace);
  if (found.kind !== "job") throw refuse("ref-kind-wrong", `${name} is a ${found.kind}; this needs a job`, { status: 422 });
  return found.object;
}

/** Keys of these objects. */
export function versionKeys(objects: readonly Declared<"service">[]): readonly VersionKey[] {
  return objects.map((object) => object.key as VersionKey);
}
