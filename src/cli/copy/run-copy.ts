/** Carries out `weir cp`: tar here and tar inside, with a stream between them. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { type Readable, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ExecView } from "../../api/contract.ts";
import type { Invocation, Place } from "../command.ts";
import { execPlanOf } from "../commands/exec.ts";
import { createScreen } from "../commands/waiting.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { type CopyPlan, copyPlan, splitInside } from "./copy-place.ts";
import { type InsideEnd, runInside } from "./inside.ts";
import { isFolder, packPath } from "./pack.ts";
import { unpack } from "./unpack.ts";

interface Copy {
  readonly place: Place;
  readonly plan: ExecView;
  /** For messages. */
  readonly where: string;
}

/** Copies. Answers the exit status; throws a `Failure`. */
export async function runCopy(invocation: Invocation): Promise<number> {
  const [source = "", target = ""] = invocation.args;
  const wanted = copyPlan(source, target);
  const ref = wanted.kind === "download" ? wanted.from.ref : wanted.to.ref;
  const plan = await execPlanOf({ ...invocation, args: [ref] });
  const copy = { place: invocation.place, plan, where: plan.workload };
  if (wanted.kind === "download") await download(copy, wanted);
  else await upload(copy, wanted);
  return exitCode.ok;
}

async function download(copy: Copy, { from, to }: Extract<CopyPlan, { kind: "download" }>): Promise<void> {
  const { dir, base } = splitInside(from.path);
  const command = ["tar", "-cf", "-", "-C", dir, base === "." ? "." : `./${base}`];
  if (to.kind === "stream") {
    if (process.stdout.isTTY)
      throw failure("cp-terminal", "a tar archive is nothing for a terminal", { hint: "weir cp … - > FILE, or | tar -tv", exit: exitCode.badInput });
    check(copy, await runInside(copy.place, copy.plan, command, { output: measured(process.stdout, from.path) }), 0);
    return;
  }
  const isInto = base !== "." && ((await isExistingFolder(to.path)) || to.path.endsWith("/"));
  const goal = isInto ? path.join(to.path, base) : to.path;
  const { into, done } = unpack({ base, target: goal, warn: say });
  const written = done.catch((error: unknown) => {
    into.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  const [ended, count] = await Promise.allSettled([runInside(copy.place, copy.plan, command, { output: measured(into, from.path) }), written]);
  // What tar says of itself explains an archive that is cut off.
  if (ended.status === "fulfilled") check(copy, ended.value, count.status === "fulfilled" ? count.value : 0);
  if (count.status === "rejected") throw count.reason;
  if (ended.status === "rejected") throw ended.reason;
}

async function isExistingFolder(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isDirectory() === true;
}

async function upload(copy: Copy, { from, to }: Extract<CopyPlan, { kind: "upload" }>): Promise<void> {
  if (from.kind === "stream") {
    const dir = to.path === "" ? "." : to.path.startsWith("-") ? `./${to.path}` : to.path;
    check(copy, await runInside(copy.place, copy.plan, ["tar", "-xmf", "-", "-C", dir], { input: measuredInput(process.stdin, to.path) }), 0);
    return;
  }
  const isContents = /(^|\/)\.\/*$/.test(from.path);
  if (isContents && !(await isFolder(from.path))) throw failure("cp-unreadable", `${from.path} is no folder`, { exit: exitCode.badInput });
  await isFolder(from.path);
  const goal = await goalInside(copy, from.path, to.path, isContents);
  const { dir, base } = splitInside(goal);
  const archive = packPath({ source: from.path, name: base, warn: say });
  check(copy, await runInside(copy.place, copy.plan, ["tar", "-xmf", "-", "-C", dir], { input: measuredInput(archive, to.path) }), 0);
}

/** Where it comes to be: inside of a folder that is there, else by that name. */
async function goalInside(copy: Copy, source: string, target: string, isContents: boolean): Promise<string> {
  if (isContents) return `${target === "" ? "." : target}/.`;
  const base = path.basename(path.resolve(source));
  if (target === "" || target.endsWith("/")) return `${target}${base}`;
  const dir = target.startsWith("-") ? `./${target}` : target;
  const { code } = await runInside(copy.place, copy.plan, ["test", "-d", dir], {});
  return code === 0 ? `${target}/${base}` : target;
}

/** Throws what tar's end means. That a file changed while it was read is told, and no failure: `count` of them came. */
function check({ where, plan }: Copy, { code, said }: InsideEnd, count: number): void {
  if (code === 0) return;
  const isAbsent = code === 127 || /(tar: not found|tar: No such file|"tar": executable)/.test(said);
  if (isAbsent)
    throw failure("cp-without-tar", `there is no tar in ${where}, and copying needs it`, {
      hint:
        plan.kind === "pod" ? "use an image that has tar, or give the files by a config (weir.yaml: configs, mounts)" : "put tar on the PATH of the service",
    });
  if (code === 1 && count > 0 && /changed as we read it|file is the archive/.test(said)) {
    say(said);
    return;
  }
  const isMissing = /No such file or directory|Cannot (open|stat|chdir)|can't (open|stat|change)/i.test(said);
  throw failure(isMissing ? "path-missing" : "cp-failed", `tar in ${where}: ${said === "" ? `it ended with status ${code}` : said}`, {
    hint: isMissing ? "paths are those of the workload: weir exec APP -- ls" : "what was copied before stays",
    exit: isMissing ? exitCode.notFound : exitCode.failed,
  });
}

const showMs = 200;

/** Shows on a terminal how much went through. */
function meter(name: string): Transform {
  const screen = createScreen();
  const startedAt = performance.now();
  let [bytes, shownAt] = [0, startedAt];
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      bytes += data.length;
      const now = performance.now();
      if (now - shownAt >= showMs) {
        shownAt = now;
        screen.show([`${name}: ${sizeText(bytes)}, ${sizeText((bytes * 1_000) / (now - startedAt))}/s`]);
      }
      done(null, data);
    },
    flush(done) {
      screen.clear();
      done();
    },
    destroy(error, done) {
      screen.clear();
      done(error);
    },
  });
}

function measured(output: Writable, name: string): Writable {
  const through = meter(name);
  // Its end is the archive's: stdout stays open for whoever else writes.
  void pipeline(through, output, { end: output !== process.stdout }).catch(() => undefined);
  return through;
}

function measuredInput(input: Readable, name: string): Readable {
  const through = meter(name);
  void pipeline(input, through).catch((error: unknown) => through.destroy(error instanceof Error ? error : new Error(String(error))));
  return through;
}

/** `999 B`, `12.3 kB`, `4.0 GB`. */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const at = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${at === 0 ? Math.round(bytes) : (bytes / 1_000 ** at).toFixed(1)} ${units[at] ?? ""}`;
}
