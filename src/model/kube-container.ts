/** What services and jobs say, in the words of a container of Kubernetes: the same whether Weir writes the object or prints it. */
import type { Concurrency, EnvValue, Mount, Resources } from "./types.ts";

type EnvSource =
  | { readonly value: string }
  | { readonly valueFrom: { readonly configMapKeyRef: KeyRef } }
  | { readonly valueFrom: { readonly secretKeyRef: KeyRef } }
  | { readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } } };
type KeyRef = { readonly name: string; readonly key: string };
export type EnvEntry = { readonly name: string } & EnvSource;

/** What a CronJob does while a run of it goes on. */
export const concurrencyPolicies: Readonly<Record<Concurrency, string>> = { forbid: "Forbid", allow: "Allow", replace: "Replace" };

/** Whole seconds, rounded up. */
export function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** Kubernetes replaces `$(NAME)` in commands and values; what is declared is meant as it stands. */
export function literal(text: string): string {
  return text.includes("$(") || text.includes("$$") ? text.replaceAll("$", "$$$$") : text;
}

/** The environment: `ours`, but for names that are declared, then what is declared, by name. */
export function containerEnv(ours: readonly EnvEntry[], declared: Readonly<Record<string, EnvValue>>): readonly EnvEntry[] {
  const said = Object.entries(declared).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...ours.filter(({ name }) => declared[name] === undefined), ...said.map(([name, value]) => ({ name, ...envSource(value) }))];
}

function envSource(value: EnvValue): EnvSource {
  switch (value.kind) {
    case "literal":
      return { value: literal(value.value) };
    case "config":
      return { valueFrom: { configMapKeyRef: { name: value.name, key: value.key } } };
    case "secret":
      return { valueFrom: { secretKeyRef: { name: value.name, key: value.key } } };
    default:
      return value satisfies never;
  }
}

/** Where a mount appears; `index`: its place in the list. */
export function volumeMount({ key, path }: Mount, index: number) {
  return { name: `mount-${index}`, mountPath: path, readOnly: true, ...(key === undefined ? {} : { subPath: key }) };
}

/** Processor that is free may be used by whoever wants it; memory that somebody has cannot be taken back. */
export function containerResources({ cpu, memory }: Resources) {
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return { requests, ...(memory === undefined ? {} : { limits: { memory } }) };
}
