/** Makes a tar archive of a file or folder here, as a stream. */
import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack as newPack, type Pack } from "tar-stream";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

export interface PackOptions {
  readonly source: string;
  /** What it is called in the archive; `.`: a folder's contents only. */
  readonly name: string;
  readonly warn: (text: string) => void;
}

/** Whether `source` is a folder; links to it count as what they lead to. Throws a `Failure` when there is none. */
export async function isFolder(source: string): Promise<boolean> {
  return (await statsOf(source)).isDirectory();
}

async function statsOf(source: string): Promise<Stats> {
  try {
    return await stat(source);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw failure(isMissing ? "path-missing" : "cp-unreadable", isMissing ? `there is no ${source}` : (error as Error).message, {
      hint: "name a file or folder here",
      exit: isMissing ? exitCode.notFound : exitCode.failed,
    });
  }
}

/** The archive. It belongs to nobody here: whoever unpacks it, owns what comes out. An error of reading destroys the stream. */
export function packPath(options: PackOptions): Readable {
  const archive = newPack();
  void add(archive, options.source, options)
    .then(() => archive.finalize())
    .catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return archive as unknown as Readable;
}

async function add(archive: Pack, source: string, options: PackOptions): Promise<void> {
  const stats = await statsOf(source);
  await addOne(archive, { file: source, name: options.name, stats }, options);
}

interface Item {
  readonly file: string;
  readonly name: string;
  readonly stats: Stats;
}

async function addOne(archive: Pack, { file, name, stats }: Item, options: PackOptions): Promise<void> {
  const header = { name, mode: stats.mode & 0o777, mtime: stats.mtime, uid: 0, gid: 0 };
  if (stats.isDirectory()) {
    if (name !== ".") archive.entry({ ...header, type: "directory" });
    for (const child of (await readdir(file)).sort()) {
      const inner = path.join(file, child);
      await addOne(archive, { file: inner, name: name === "." ? child : `${name}/${child}`, stats: await lstat(inner) }, options);
    }
  } else if (stats.isFile()) {
    // No more than was there when its size was written down: a log may grow meanwhile.
    if (stats.size === 0) archive.entry({ ...header, type: "file" }, "");
    else await pipeline(createReadStream(file, { end: stats.size - 1 }), archive.entry({ ...header, size: stats.size, type: "file" }) as unknown as Writable);
  } else if (stats.isSymbolicLink()) {
    archive.entry({ ...header, type: "symlink", linkname: await readlink(file) });
  } else {
    options.warn(`left out: ${file}: neither a file nor a folder nor a link`);
  }
}
