/** Where `weir cp` copies from and to. */
import path from "node:path";
import { isLabel } from "../../model/names.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

export type CopyPlace =
  | { readonly kind: "here"; readonly path: string }
  /** A tar archive, on stdin or stdout. */
  | { readonly kind: "stream" }
  /** `ref` as other commands take it. */
  | { readonly kind: "inside"; readonly ref: string; readonly path: string };

/** Reads `FILE`, `-` or `[NS:]APP[@VERSION]:PATH`. What has a slash before its first colon is a file here: `./a:b`. */
export function copyPlace(text: string): CopyPlace {
  if (text === "-") return { kind: "stream" };
  const [first = "", ...others] = text.split(":");
  if (others.length === 0 || !isAppRef(first)) return { kind: "here", path: text };
  const [second = "", ...rest] = others;
  // The path of a namespaced one must be absolute: else `web:a:b` could mean two things.
  if (isLabel(first) && isAppRef(second) && rest.join(":").startsWith("/")) return { kind: "inside", ref: `${first}:${second}`, path: rest.join(":") };
  return { kind: "inside", ref: first, path: others.join(":") };
}

function isAppRef(text: string): boolean {
  const [app = "", version, ...more] = text.split("@");
  return isLabel(app) && (version === undefined || isLabel(version)) && more.length === 0;
}

export type CopyPlan =
  | { readonly kind: "download"; readonly from: Extract<CopyPlace, { kind: "inside" }>; readonly to: Exclude<CopyPlace, { kind: "inside" }> }
  | { readonly kind: "upload"; readonly from: Exclude<CopyPlace, { kind: "inside" }>; readonly to: Extract<CopyPlace, { kind: "inside" }> };

/** What to copy in which direction. Throws a `Failure` when not exactly one of the two is inside a workload. */
export function copyPlan(source: string, target: string): CopyPlan {
  const [from, to] = [copyPlace(source), copyPlace(target)];
  if (from.kind === "inside" && to.kind !== "inside") return { kind: "download", from, to };
  if (to.kind === "inside" && from.kind !== "inside") return { kind: "upload", from, to };
  const hint = "one of the two is here, the other is APP:PATH or APP@VERSION:PATH";
  const message =
    from.kind === "inside" ? "both are inside workloads; copy here first, or: weir cp A:PATH - | weir cp - B:PATH" : "neither of the two is inside a workload";
  throw failure("cp-places-wrong", message, { hint, exit: exitCode.badInput });
}

/** A path inside, taken apart so that tar takes neither part for an option. `base` is `.` for a folder's contents. */
export function splitInside(text: string): { readonly dir: string; readonly base: string } {
  const clean = path.posix.normalize(text === "" ? "." : text).replace(/(?<=.)\/+$/, "");
  const isContents = /(^|\/)\.\/*$/.test(text) || [".", "/"].includes(clean) || path.posix.basename(clean) === "..";
  if (isContents) return { dir: safe(clean), base: "." };
  return { dir: safe(path.posix.dirname(clean)), base: path.posix.basename(clean) };
}

function safe(dir: string): string {
  return dir.startsWith("-") ? `./${dir}` : dir;
}
