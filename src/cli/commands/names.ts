/** Names and numbers as the user wrote them, checked. */

import { parseDuration } from "../../lib/duration.ts";
import type { Problem, Result } from "../../lib/problem.ts";
import type { Namespace } from "../../model/names.ts";
import { parseRef, type Ref } from "../../model/ref.ts";
import { exitCode } from "../exit-code.ts";
import { Failure, failure } from "../failure.ts";

/** The value, or a failure with all problems. */
export function checked<T>(result: Result<T>): T {
  if (!result.ok) throw new Failure(result.problems, exitCode.badInput);
  return result.value;
}

/** All values, or a failure with the problems of all. */
export function allChecked<T>(results: readonly Result<T>[]): readonly T[] {
  const problems: readonly Problem[] = results.flatMap((result) => (result.ok ? [] : result.problems));
  if (problems.length > 0) throw new Failure(problems, exitCode.badInput);
  return results.flatMap((result) => (result.ok ? [result.value] : []));
}

/** A ref to an app or a version of one. */
export function appRef(text: string, namespace: string): Ref {
  const ref = checked(parseRef(text, namespace as Namespace));
  if (ref.kind !== undefined && ref.kind !== "app" && ref.kind !== "service")
    throw failure("not-an-app", `${text} is no app`, { hint: "write APP or APP@VERSION", exit: exitCode.badInput });
  return ref;
}

/** A ref to an app, a version of one, or a job. */
export function appOrJobRef(text: string, namespace: string): Ref {
  const ref = checked(parseRef(text, namespace as Namespace));
  return ref.kind === "job" ? ref : appRef(text, namespace);
}

/** A ref that must name a version. */
export function versionRef(text: string, namespace: string): Ref & { readonly version: NonNullable<Ref["version"]> } {
  const ref = appRef(text, namespace);
  if (ref.version === undefined)
    throw failure("version-missing", `${text} names no version`, { hint: `write ${ref.name}@VERSION, like ${ref.name}@v2`, exit: exitCode.badInput });
  return { ...ref, version: ref.version };
}

/** Milliseconds of a duration option. */
export function durationOption(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const ms = parseDuration(text);
  if (ms === undefined)
    throw failure("duration-invalid", `--${name} ${text} is not a duration`, { hint: "write it like 10s, 250ms or 5m", exit: exitCode.badInput });
  return ms;
}

/** A whole number from 0. */
export function wholeNumber(text: string, what: string): number {
  if (!/^\d{1,6}$/.test(text)) throw failure("number-invalid", `${what} must be a whole number, not "${text}"`, { exit: exitCode.badInput });
  return Number(text);
}

/** `K=V` options as an object. */
export function environment(pairs: readonly string[]): Readonly<Record<string, string>> {
  const wrong = pairs.find((pair) => !/^[^=]+=/.test(pair));
  if (wrong !== undefined) throw failure("env-invalid", `"${wrong}" is not NAME=VALUE`, { hint: "write it like -e PORT=9000", exit: exitCode.badInput });
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

/** The namespaces of refs as the user wrote them; one that cannot be read is somebody else's to refuse. */
export function namespacesOf(refs: readonly string[], namespace: string): readonly string[] {
  const read = refs.map((text) => parseRef(text, namespace as Namespace)).map((ref) => (ref.ok ? ref.value.namespace : namespace));
  return read.length === 0 ? [namespace] : [...new Set(read)];
}

/** The namespace that all refs of one command share. Throws a failure when they differ. */
export function commonNamespace(refs: readonly { readonly namespace: Namespace }[]): Namespace {
  const namespaces = [...new Set(refs.map((ref) => ref.namespace))];
  const [first] = namespaces;
  if (first === undefined || namespaces.length > 1)
    throw failure("namespaces-differ", `one command changes one namespace, not ${namespaces.join(" and ")}`, { exit: exitCode.badInput });
  return first;
}
