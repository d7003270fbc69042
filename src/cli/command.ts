/** Commands as data: what they are called, what they take, what they do. */
import type { Format } from "./output.ts";

export interface Option {
  /** As commander reads it: `-f, --file <file>`. */
  readonly flags: string;
  readonly description: string;
  /** May be given several times; the values are collected. */
  readonly many?: boolean;
}

/** What commands act on: this machine, or a cluster. */
export type Place =
  | { readonly kind: "local" }
  /** Of a kubeconfig; absent: its current context, the usual files. */
  | { readonly kind: "cluster"; readonly context?: string; readonly kubeconfig?: string };

/** anywhere: acts on nothing that runs, or chooses by itself · both: on what is chosen · machine, cluster: on that alone, and refuses while the other is chosen. */
export type Where = "anywhere" | "both" | "machine" | "cluster";

export interface Invocation {
  /** Positional arguments, in order; an optional one that was not given is absent from the end. */
  readonly args: readonly string[];
  /** What comes after `--`. */
  readonly rest: readonly string[];
  readonly options: Options;
  readonly place: Place;
  readonly namespace: string;
  readonly format: Format;
}

/** Options by their long name in camel case. */
export interface Options {
  text(name: string): string | undefined;
  flag(name: string): boolean;
  many(name: string): readonly string[];
}

export interface Command {
  /** `["router", "ls"]` */
  readonly path: readonly [string, ...string[]];
  readonly summary: string;
  /** Names of positional arguments as commander reads them: `<app>`, `[refs...]`. */
  readonly args?: readonly { readonly syntax: string; readonly description: string }[];
  readonly options?: readonly Option[];
  readonly examples: readonly [string, ...string[]];
  /** Takes `-o`. */
  readonly output?: boolean;
  /** Takes `-n NAMESPACE`; false where `-n` is something else or names have no namespace. */
  readonly namespaced?: boolean;
  /** Takes a command after `--`. */
  readonly takesCommand?: boolean;
  readonly where: Where;
  /** Answers the exit status. */
  readonly run: (invocation: Invocation) => Promise<number>;
}
