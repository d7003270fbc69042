import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { failed, ok, type Result } from "../lib/problem.ts";

/**
 * Makes folders that only this user can enter, and checks those that are there: the sockets in them give everything away.
 * Problem: `state-dir-unsafe`, when one is somebody else's, or no folder. Too open a mode is mended.
 */
export function secureFolders(folders: readonly string[]): Result<null> {
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stat = lstatSync(folder);
    const uid = process.getuid?.() ?? stat.uid;
    if (!stat.isDirectory() || stat.uid !== uid) {
      return failed({ code: "state-dir-unsafe", message: `${folder} is not a folder of this user`, hint: "move it away, or set WEIR_HOME to another folder" });
    }
    if ((stat.mode & 0o777) !== 0o700) chmodSync(folder, 0o700);
  }
  return ok(null);
}
