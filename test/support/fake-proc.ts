import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";

interface FakeProcess {
  readonly pid: number;
  readonly cgroup: string;
  readonly inode: number;
  readonly start?: number;
}

/** Makes `folder` look like /proc with these processes and an init; returns it. */
export function fakeProc(folder: string, processes: readonly FakeProcess[]): string {
  for (const { pid, cgroup, inode, start = pid } of [{ pid: 1, cgroup: "0::/init.scope", inode: 1 }, ...processes]) {
    const own = path.join(folder, String(pid));
    mkdirSync(path.join(own, "ns"), { recursive: true });
    writeFileSync(path.join(own, "cgroup"), `${cgroup}\n`);
    writeFileSync(path.join(own, "stat"), `${pid} (a b) S ${Array.from({ length: 18 }, () => "0").join(" ")} ${start} 0\n`);
    symlinkSync(`net:[${inode}]`, path.join(own, "ns/net"));
  }
  mkdirSync(path.join(folder, "sys"));
  return folder;
}
