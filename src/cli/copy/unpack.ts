/**
 * Writes a tar archive that a workload made into a folder here. Nothing in it is trusted: whatever it says, nothing is written outside the target, neither
 * by `..` nor through a symlink, no link that leads out is made, and nothing but files, folders and links is.
 */
import { constants } from "node:fs";
import { link, lstat, mkdir, open, symlink, unlink, utimes } from "node:fs/promises";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { Failure, failure } from "../failure.ts";

export interface UnpackOptions {
  /** What the archive's first part is called inside: it becomes `target`. `.`: all of it is put into `target`. */
  readonly base: string;
  readonly target: string;
  /** Hears of what was left out, and why. */
  readonly warn: (text: string) => void;
}

interface Links {
  readonly place: readonly string[];
  readonly to: string;
}

/** Where the archive goes; the stream ends when all of it is written. `done` answers how many things were written, and rejects with a `Failure` for what may not be. */
export function unpack(options: UnpackOptions): { readonly into: Writable; readonly done: Promise<number> } {
  const archive = extract();
  return { into: archive as unknown as Writable, done: writeAll(archive as AsyncIterable<Entry>, options) };
}

type Entry = Readable & { readonly header: Header };

async function writeAll(entries: AsyncIterable<Entry>, options: UnpackOptions): Promise<number> {
  const symlinks: Links[] = [];
  let count = 0;
  try {
    for await (const entry of entries) {
      // It may break off while nobody reads it yet: whoever reads it later hears of that.
      entry.on("error", () => undefined);
      const place = placeOf(entry.header.name, options);
      const isWritten = await writeEntry(entry, place, symlinks, options);
      entry.resume();
      if (isWritten) count += 1;
    }
  } catch (error) {
    throw error instanceof Failure ? error : cutOff(`or is none: ${(error as Error).message}`);
  }
  // Last: so no file of the archive can be written through one of them.
  for (const one of symlinks) count += (await makeSymlink(one, options)) ? 1 : 0;
  return count;
}

/** The parts of a name below the target. Throws for a name that leads elsewhere: no honest tar makes one. */
function placeOf(name: string, { base }: UnpackOptions): readonly string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const isWrong = name.startsWith("/") || name.includes("\0") || parts.includes("..") || (base !== "." && parts[0] !== base);
  if (isWrong)
    throw failure("cp-archive-hostile", `the archive names ${JSON.stringify(name)}, which is outside of what was asked for; nothing of it is written`, {
      hint: "do not trust this workload",
    });
  return base === "." ? parts : parts.slice(1);
}

async function writeEntry(entry: Entry, place: readonly string[], symlinks: Links[], options: UnpackOptions): Promise<boolean> {
  const { header } = entry;
  const leaveOut = (why: string): false => {
    options.warn(`left out: ${header.name}: ${why}`);
    return false;
  };
  switch (header.type) {
    case "directory":
      await makeFolders(place, options.target);
      return true;
    case "file":
    case "contiguous-file":
    case undefined:
    case null:
      await makeFoldersAbove(place, options.target);
      await writeFile(entry, place, options.target);
      return true;
    case "symlink":
      if (place.length === 0) throw failure("cp-link", `it is a link to ${header.linkname ?? ""}`, { hint: "copy what it leads to, by that path" });
      symlinks.push({ place, to: header.linkname ?? "" });
      return false;
    case "link":
      return (await makeHardLink(place, placeOf(header.linkname ?? "", options), options.target)) || leaveOut("a link to what is not in the archive");
    case "fifo":
    case "block-device":
    case "character-device":
      return leaveOut(`a ${header.type}`);
    default:
      header.type satisfies never;
      return leaveOut("something unknown");
  }
}

function pathOf(place: readonly string[], target: string): string {
  return path.join(target, ...place);
}

/** Every folder on the way must be a real one: a link would lead elsewhere. The target itself is the user's own choice. */
async function makeFolders(place: readonly string[], target: string): Promise<void> {
  for (let depth = 0; depth <= place.length; depth += 1) {
    const folder = pathOf(place.slice(0, depth), target);
    await mkdir(folder, { recursive: depth === 0 }).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw unwritable(folder, error.message);
      if (depth > 0 && !(await lstat(folder)).isDirectory()) throw unwritable(folder, "there is something else than a folder");
    });
  }
}

async function makeFoldersAbove(place: readonly string[], target: string): Promise<void> {
  await makeFolders(place.slice(0, -1), place.length === 0 ? path.dirname(target) : target);
}

function unwritable(file: string, reason: string): Error {
  return failure("cp-unwritable", `${file} cannot be written: ${reason}`, { hint: "choose another target, or make room there" });
}

async function writeFile(entry: Entry, place: readonly string[], target: string): Promise<void> {
  const file = pathOf(place, target);
  // What the user named may be a link of theirs; what the archive names may not.
  const noFollow = place.length === 0 ? 0 : constants.O_NOFOLLOW;
  const opened = open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | noFollow, (entry.header.mode ?? 0o644) & 0o777);
  const handle = await opened.catch((error: NodeJS.ErrnoException) => {
    throw unwritable(file, error.code === "ELOOP" ? "there is a link" : error.message);
  });
  // Not the stream itself: node's pipeline does not notice one of this library's that is broken already.
  await pipeline(piecesOf(entry), handle.createWriteStream()).catch((error: unknown) => {
    throw error instanceof Failure ? error : unwritable(file, (error as Error).message);
  });
  const { mtime } = entry.header;
  if (mtime !== undefined) await utimes(file, mtime, mtime);
}

async function* piecesOf(entry: Entry): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const piece of entry) yield piece as Buffer;
  } catch {
    throw cutOff(`in the middle of ${entry.header.name}`);
  }
}

function cutOff(where: string): Failure {
  return failure("cp-cut-off", `the archive broke off ${where}`, { hint: "try again; what came before stays" });
}

async function makeHardLink(place: readonly string[], from: readonly string[], target: string): Promise<boolean> {
  const [source, file] = [pathOf(from, target), pathOf(place, target)];
  if (place.length === 0 || from.length === 0 || !(await isRealFile(from, target))) return false;
  await makeFoldersAbove(place, target);
  await unlink(file).catch(() => undefined);
  await link(source, file).catch((error: unknown) => {
    throw unwritable(file, (error as Error).message);
  });
  return true;
}

/** A file, with no link on the way to it. */
async function isRealFile(place: readonly string[], target: string): Promise<boolean> {
  for (let depth = 1; depth <= place.length; depth += 1) {
    const stats = await lstat(pathOf(place.slice(0, depth), target)).catch(() => undefined);
    if (stats === undefined || !(depth === place.length ? stats.isFile() : stats.isDirectory())) return false;
  }
  return true;
}

async function makeSymlink({ place, to }: Links, { target, warn }: UnpackOptions): Promise<boolean> {
  const file = pathOf(place, target);
  if (!staysInside(place, to)) {
    warn(`left out: ${place.join("/")}: a link that leads out of the target, to ${to}`);
    return false;
  }
  await makeFoldersAbove(place, target);
  if ((await lstat(file).catch(() => undefined))?.isDirectory() === false) await unlink(file);
  await symlink(to, file).catch((error: unknown) => {
    throw unwritable(file, (error as Error).message);
  });
  return true;
}

/** `..` may only be at its beginning, and not lead above the target: further on it would go up from wherever another link leads. */
export function staysInside(place: readonly string[], to: string): boolean {
  if (to === "" || to.startsWith("/") || to.includes("\0")) return false;
  const parts = to.split("/").filter((part) => part !== "" && part !== ".");
  const ups = parts.findIndex((part) => part !== "..");
  const up = ups === -1 ? parts.length : ups;
  return up < place.length && !parts.slice(up).includes("..");
}
