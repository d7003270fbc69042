/** The cluster's own branch in every tree of control groups (version 1, 2 or both, as the machine has it). */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

function trees(): readonly string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return mounts.flatMap((line) => {
    const [, dir = "", type = ""] = line.split(" ");
    return type === "cgroup" || type === "cgroup2" ? [dir] : [];
  });
}

/** Makes the group `name` (a path) in every tree. */
export function makeCgroup(name: string): void {
  for (const tree of trees()) mkdirSync(path.join(tree, name), { recursive: true });
}

/** Where the group still is. */
export function findCgroup(name: string): readonly string[] {
  return trees()
    .map((tree) => path.join(tree, name))
    .filter((dir) => existsSync(dir));
}

/** Removes the group and all below it, waiting for the kernel to forget ended processes; throws when it does not. */
export async function removeCgroup(name: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      for (const dir of findCgroup(name)) removeTree(dir);
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(25);
    }
  }
}

function removeTree(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) if (entry.isDirectory()) removeTree(path.join(dir, entry.name));
  rmdirSync(dir);
}
