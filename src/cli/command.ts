/** Commands as data: what they are called, what they take, what they do. */
import type { Format } from "./output.ts";

export interface Option {
  /** As commander reads it: `-f, --file <file>`. */
  readonly flags: string;
  readonly description: string;
  /** May be given several times; the values are collected. */
  readonly many?: boolean;
}

export interface Invocation {
  /** Positional arguments, in order; an optional one that was not given is absent from the end. */
  readonly args: readonly string[];
  /** What comes after `--`. */
  readonly rest: readonly string[];
  readonly options: Options;
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
  /** Says that it also makes sense while a cluster is chosen (`weir context use`); any other command refuses then. */
  readonly where?: "anywhere";
  /** Answers the exit status. */
  readonly run: (invocation: Invocation) => Promise<number>;
}
