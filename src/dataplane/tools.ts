/** The machine's own programs that namespaces need, and where they are. */
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";

const names = ["hostname", "ip", "mkfifo", "mount", "nft", "nsenter", "setpriv", "sh", "tini", "umount", "unshare"] as const;

export type ToolName = (typeof names)[number];
/** Absolute paths. */
export type Tools = Readonly<Record<ToolName, string>>;

/** Folders that hold system programs but are often not on an ordinary user's PATH. */
const systemFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Looks every program up: in `folders` (those that set-up brought) first, then on `searchPath`, then in the system's folders.
 * Answers what it found and the names of what is missing.
 */
export function findTools(folders: readonly string[], searchPath: string): { readonly found: Partial<Tools>; readonly missing: readonly ToolName[] } {
  const found: Partial<Record<ToolName, string>> = {};
  const missing: ToolName[] = [];
  for (const name of names) {
    const file = findTool(name, folders, searchPath);
    if (file === undefined) missing.push(name);
    else found[name] = file;
  }
  return { found, missing };
}

/** Looks one program up in the same places; undefined when it is in none. */
export function findTool(name: string, folders: readonly string[], searchPath: string): string | undefined {
  const places = [...folders, ...searchPath.split(":").filter((folder) => path.isAbsolute(folder)), ...systemFolders];
  return places.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** Says whether nothing is missing. */
export function isComplete(tools: Partial<Tools>): tools is Tools {
  return names.every((name) => tools[name] !== undefined);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
