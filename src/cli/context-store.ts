/** Where commands act: on this machine, or on a cluster that was chosen with `weir context use`. Kept in the state folder. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { statePaths } from "../lib/state-paths.ts";
import type { Command, Options, Place } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";

export type Chosen =
  | { readonly kind: "local" }
  /** A context of a kubeconfig; `kubeconfig` is absent for the usual files. */
  | { readonly kind: "cluster"; readonly context: string; readonly kubeconfig?: string };

/** How this machine is called among the contexts. */
export const localName = "local";

function contextFile(): string {
  return path.join(statePaths(process.env, process.getuid?.() ?? 0).stateDir, "context.json");
}

/** What was chosen last; this machine, if nothing was. Throws a `Failure` when that cannot be known: acting on the wrong side would be worse. */
export function readChosen(): Chosen {
  let text: string;
  try {
    text = readFileSync(contextFile(), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "local" };
    throw unreadable((error as Error).message);
  }
  const chosen = parse(text);
  if (chosen === undefined) throw unreadable(`${contextFile()} says no context`);
  return chosen;
}

function parse(text: string): Chosen | undefined {
  try {
    const { context, kubeconfig } = JSON.parse(text) as { readonly context?: unknown; readonly kubeconfig?: unknown };
    if (typeof context !== "string" || context === "") return undefined;
    return { kind: "cluster", context, ...(typeof kubeconfig === "string" ? { kubeconfig } : {}) };
  } catch {
    return undefined;
  }
}

function unreadable(message: string): Error {
  return failure("context-unreadable", message, { hint: "choose anew: weir context use local", exit: exitCode.failed });
}

/** Keeps the choice, for this user only. */
export function writeChosen(chosen: Chosen): void {
  const file = contextFile();
  if (chosen.kind === "local") {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const { context, kubeconfig } = chosen;
  writeFileSync(`${file}-${process.pid}`, `${JSON.stringify({ context, kubeconfig })}\n`, { mode: 0o600 });
  renameSync(`${file}-${process.pid}`, file);
}

/** Where a command acts: what `--context` and `--kubeconfig` say, else what was chosen. Throws a `Failure` for a place where it cannot. */
export function placeOf({ path: words, where }: Pick<Command, "path" | "where">, options: Options): Place {
  if (where === "anywhere") return { kind: "local" };
  const place = meantPlace(options);
  if (where === "both" || (where === "machine") === (place.kind === "local")) return place;
  const command = `weir ${words.join(" ")}`;
  if (place.kind === "local")
    throw failure("context-not-supported", `${command} acts on a cluster, and the context is this machine`, {
      hint: "name a cluster with --context, or choose one: weir context use NAME",
      exit: exitCode.badInput,
    });
  throw failure("context-not-supported", `${command} acts on this machine only, and the context is the cluster ${place.context ?? "of the kubeconfig"}`, {
    hint: "back to this machine: weir context use local",
    exit: exitCode.badInput,
  });
}

function meantPlace(options: Options): Place {
  const [context, kubeconfig] = [options.text("context"), options.text("kubeconfig")];
  if (context === localName && kubeconfig === undefined) return { kind: "local" };
  if (context === undefined && kubeconfig === undefined) return readChosen();
  return { kind: "cluster", ...(context === undefined ? {} : { context }), ...(kubeconfig === undefined ? {} : { kubeconfig }) };
}
