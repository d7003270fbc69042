/** Reads a `weir.yaml` with everything that it refers to. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { StackSource } from "../../api/contract.ts";
import { findInputs } from "../../model/find-inputs.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

/** `place` is a folder (its `weir.yaml` is read) or a file; `-` is stdin. Throws a failure when there is none. */
export function readSource(place: string): StackSource {
  const file = place === "-" ? "-" : fileOf(place);
  const text = read(file === "-" ? 0 : file, file);
  const dir = file === "-" ? process.cwd() : path.dirname(path.resolve(file));
  const inputs = findInputs(text);
  return {
    file: file === "-" ? "stdin" : file,
    text,
    dir,
    // What is missing stays missing here: the parser says so, with the place where it is asked for.
    files: Object.fromEntries(inputs.files.flatMap((name) => readOptional(path.resolve(dir, name)).map((content) => [name, content]))),
    env: Object.fromEntries(inputs.env.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
  };
}

function fileOf(place: string): string {
  const stats = statSync(place, { throwIfNoEntry: false });
  if (stats === undefined)
    throw failure("file-missing", `there is no ${place}`, { hint: "name a folder with a weir.yaml, or a file with -f", exit: exitCode.notFound });
  return stats.isDirectory() ? path.join(place, "weir.yaml") : place;
}

function read(file: string | number, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw failure("file-unreadable", `cannot read ${name}: ${(error as Error).message}`, { exit: exitCode.notFound });
  }
}

function readOptional(file: string): readonly string[] {
  try {
    return [readFileSync(file, "utf8")];
  } catch {
    return [];
  }
}
