/** References to root certificates: what they lead to, and whether they may. */
import type { RootCertificates } from "../../model/gateway.ts";
import type { KubeRoots, KubeRootsRef } from "./backend-tls-objects.ts";
import type { Objects } from "./objects.ts";
import { optional } from "./readers.ts";

/** Why a reference leads nowhere. */
export interface RootsProblem {
  readonly message: string;
  /** It names something that is no ConfigMap. */
  readonly isKind: boolean;
  /** There may be one, and nobody allowed it to be named. */
  readonly isForbidden: boolean;
}

export interface FoundRoots {
  /** All that were found, as one; absent: none. */
  readonly roots?: RootCertificates;
  /** Of the first that was not found. */
  readonly problem?: RootsProblem;
}

/** Finds ConfigMaps with root certificates. `isAllowed` says whether one of another namespace may be named. */
export function findRoots(refs: readonly KubeRootsRef[], known: Objects<KubeRoots>, isAllowed: (ref: KubeRootsRef) => boolean = () => true): FoundRoots {
  const results = refs.map((ref) => findOne(ref, known, isAllowed));
  const found = results.flatMap((result) => ("pem" in result ? [result] : []));
  const roots = { name: found.map(({ name }) => name).join("+"), pem: found.map(({ pem }) => pem).join("") };
  const problem = results.find((result) => "message" in result);
  return { ...optional("roots", found.length === 0 ? undefined : roots), ...optional("problem", problem) };
}

function findOne(ref: KubeRootsRef, known: Objects<KubeRoots>, isAllowed: (ref: KubeRootsRef) => boolean): RootCertificates | RootsProblem {
  const name = `${ref.namespace}/${ref.name}`;
  const bad = (message: string): RootsProblem => ({ message, isKind: false, isForbidden: false });
  if (ref.group !== "" || ref.kind !== "ConfigMap") return { ...bad(`root certificates of kind ${ref.kind} are not known, only ConfigMaps`), isKind: true };
  if (!isAllowed(ref)) return { ...bad(`no ReferenceGrant in ${ref.namespace} lets it name ConfigMap ${ref.name}`), isForbidden: true };
  const found = known.get(name);
  if (found === undefined) return bad(`there is no ConfigMap ${name} that can be read`);
  return found.pem === undefined ? bad(`ConfigMap ${name}: ${found.mistake ?? "it holds no certificates"}`) : { name, pem: found.pem };
}
