/** What an archive of a workload may do here, and what not, whatever it says. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import { pack } from "tar-stream";
import { Failure } from "../failure.ts";
import { packPath } from "./pack.ts";
import { sizeText } from "./run-copy.ts";
import { staysInside, unpack } from "./unpack.ts";

type Item = Readonly<Parameters<ReturnType<typeof pack>["entry"]>[0]> & { readonly content?: string };

function folder(t: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-cp-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function archive(items: readonly Item[]): Promise<Buffer> {
  const made = pack();
  for (const { content = "", ...header } of items) made.entry(header, content);
  made.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of made as unknown as Readable) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

interface Unpacked {
  readonly warnings: readonly string[];
  readonly code: string | undefined;
}

async function unpacked(bytes: Buffer, target: string, base = "app"): Promise<Unpacked> {
  const warnings: string[] = [];
  const { into, done } = unpack({ base, target, warn: (text) => warnings.push(text) });
  const result = done.then(
    () => undefined,
    (error: unknown) => (error instanceof Failure ? error.problems[0]?.code : String(error)),
  );
  const sent = pipeline(Readable.from([bytes]), into).catch(() => undefined);
  const code = await result;
  into.destroy();
  await sent;
  return { warnings, code };
}

test("a folder with files, links and modes comes as it was, under the name that was asked for", async (t) => {
  const target = path.join(folder(t), "copy");
  const mtime = new Date("2026-01-02T03:04:05Z");
  const bytes = await archive([
    { name: "./app/", type: "directory" },
    { name: "./app/run.sh", mode: 0o4755, mtime, content: "#!/bin/sh\n" },
    { name: "./app/deep/er/file", content: "x".repeat(100_000) },
    { name: "./app/link", type: "symlink", linkname: "deep/er/file" },
    { name: "./app/deep/up", type: "symlink", linkname: "../run.sh" },
    { name: "./app/twin", type: "link", linkname: "./app/run.sh" },
    { name: "./app/empty" },
  ]);
  const { warnings, code } = await unpacked(bytes, target);
  assert.deepEqual([code, warnings], [undefined, []]);
  assert.equal(readFileSync(path.join(target, "deep/er/file"), "utf8").length, 100_000);
  assert.equal(statSync(path.join(target, "run.sh")).mode & 0o7777 & ~0o022, 0o755, "no setuid");
  assert.equal(statSync(path.join(target, "run.sh")).mtimeMs, mtime.getTime());
  assert.equal(readlinkSync(path.join(target, "link")), "deep/er/file");
  assert.equal(readFileSync(path.join(target, "deep/up"), "utf8"), "#!/bin/sh\n");
  assert.equal(readFileSync(path.join(target, "twin"), "utf8"), "#!/bin/sh\n");
  assert.equal(statSync(path.join(target, "empty")).size, 0);
});

test("one file becomes the target itself; contents of a folder are put into it", async (t) => {
  const dir = folder(t);
  await unpacked(await archive([{ name: "./app", content: "one" }]), path.join(dir, "renamed"));
  assert.equal(readFileSync(path.join(dir, "renamed"), "utf8"), "one");
  await unpacked(
    await archive([
      { name: "./", type: "directory" },
      { name: "./a", content: "two" },
    ]),
    path.join(dir, "all"),
    ".",
  );
  assert.equal(readFileSync(path.join(dir, "all/a"), "utf8"), "two");
});

test("names that lead out of the target end it, and nothing is written there", async (t) => {
  for (const name of ["../evil", "app/../../evil", "/etc/evil", "other/evil", "app/../other"]) {
    const dir = folder(t);
    const { code } = await unpacked(await archive([{ name, content: "evil" }]), path.join(dir, "in"));
    assert.equal(code, "cp-archive-hostile", name);
    assert.ok(!existsSync(path.join(dir, "evil")) && !existsSync(path.join(dir, "other")), name);
  }
});

test("nothing is written through a link, neither of the archive's nor one that was there", async (t) => {
  const dir = folder(t);
  const [target, outside] = [path.join(dir, "in"), path.join(dir, "outside")];
  mkdirSync(outside);
  const byArchive = await archive([
    { name: "app/door", type: "symlink", linkname: outside },
    { name: "app/door/evil", content: "evil" },
    { name: "app/file", type: "symlink", linkname: "../outside/evil" },
    { name: "app/file", content: "fine" },
  ]);
  const { warnings } = await unpacked(byArchive, target);
  assert.equal(warnings.filter((text) => /leads out/.test(text)).length, 2, warnings.join("\n"));
  assert.ok(!existsSync(path.join(outside, "evil")));
  assert.ok(lstatSync(path.join(target, "door")).isDirectory(), "a folder of its own");
  symlinkSync(outside, path.join(target, "there"));
  assert.equal((await unpacked(await archive([{ name: "app/there/evil", content: "evil" }]), target)).code, "cp-unwritable");
  writeFileSync(path.join(outside, "victim"), "as it was");
  symlinkSync(path.join(outside, "victim"), path.join(target, "name"));
  assert.equal((await unpacked(await archive([{ name: "app/name", content: "evil" }]), target)).code, "cp-unwritable");
  assert.equal(readFileSync(path.join(outside, "victim"), "utf8"), "as it was");
});

test("links that lead out, also by way of other links, are not made; devices and pipes neither", async (t) => {
  const dir = folder(t);
  const target = path.join(dir, "in");
  writeFileSync(path.join(dir, "secret"), "secret");
  const { warnings, code } = await unpacked(
    await archive([
      { name: "app/", type: "directory" },
      { name: "app/here", type: "symlink", linkname: "." },
      { name: "app/far", type: "symlink", linkname: "here/../secret" },
      { name: "app/up", type: "symlink", linkname: "../secret" },
      { name: "app/abs", type: "symlink", linkname: "/etc/passwd" },
      { name: "app/hard", type: "link", linkname: "app/up" },
      { name: "app/pipe", type: "fifo" },
      { name: "app/disk", type: "block-device" },
    ]),
    target,
  );
  assert.equal(code, undefined);
  assert.equal(warnings.length, 6, warnings.join("\n"));
  assert.deepEqual([readlinkSync(path.join(target, "here")), existsSync(path.join(target, "far")), existsSync(path.join(target, "up"))], [".", false, false]);
  const hostile = await unpacked(await archive([{ name: "app/hard", type: "link", linkname: "../secret" }]), target);
  assert.equal(hostile.code, "cp-archive-hostile");
});

test("what a link may lead to", () => {
  assert.ok(staysInside(["a", "b"], "../c/d") && staysInside(["a"], "b") && staysInside(["a"], "."));
  for (const to of ["..", "../c", "/x", "", "b/../..", "b/../c"]) assert.ok(!staysInside(["a"], to), to);
});

test("a link by the asked name is told, not followed", async (t) => {
  assert.equal((await unpacked(await archive([{ name: "./app", type: "symlink", linkname: "/etc" }]), path.join(folder(t), "x"))).code, "cp-link");
});

test("an archive that is cut off is no success", async (t) => {
  const whole = await archive([{ name: "app", content: "x".repeat(10_000) }]);
  const { code } = await unpacked(whole.subarray(0, 4_096), path.join(folder(t), "x"));
  assert.equal(code, "cp-cut-off");
  assert.equal((await unpacked(Buffer.from("no archive".repeat(100)), path.join(folder(t), "x"))).code, "cp-cut-off");
});

test("what is packed here comes out the same there", async (t) => {
  const dir = folder(t);
  const source = path.join(dir, "source");
  mkdirSync(path.join(source, "sub"), { recursive: true });
  writeFileSync(path.join(source, "a"), "a".repeat(70_000), { mode: 0o600 });
  writeFileSync(path.join(source, "sub/empty"), "");
  symlinkSync("../a", path.join(source, "sub/link"));
  const long = `${"n".repeat(120)}/${"m".repeat(120)}`;
  mkdirSync(path.join(source, path.dirname(long)), { recursive: true });
  writeFileSync(path.join(source, long), "long");
  const { into, done } = unpack({ base: "new", target: path.join(dir, "out"), warn: (text) => assert.fail(text) });
  await pipeline(packPath({ source, name: "new", warn: (text) => assert.fail(text) }), into);
  await done;
  assert.equal(readFileSync(path.join(dir, "out/sub/link"), "utf8").length, 70_000);
  assert.equal(statSync(path.join(dir, "out/a")).mode & 0o777, 0o600);
  assert.equal(readFileSync(path.join(dir, "out", long), "utf8"), "long");
});

test("sizes as people read them", () => {
  assert.deepEqual([0, 999, 12_345, 4e9].map(sizeText), ["0 B", "999 B", "12.3 kB", "4.0 GB"]);
});
