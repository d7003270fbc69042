import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { LineSplitter, LogWriter, logFileName } from "./log-writer.ts";
import { followLogs, logFile, parseLogLine, readLogs } from "./logs.ts";
import { realClock } from "./real-clock.ts";

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "weir-logs-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("bytes in any pieces become the same lines", () => {
  const text = "one\ntwo ü€😀\r\n\nlast without end";
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }), (sizes) => {
      const splitter = new LineSplitter();
      const bytes = Buffer.from(text);
      const lines: string[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        lines.push(...splitter.push(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual([...lines, ...splitter.flush()], ["one", "two ü€😀", "", "last without end"]);
    }),
  );
  const endless = new LineSplitter();
  assert.equal([...endless.push(Buffer.alloc(100_000, 97)), ...endless.flush()].join("").length, 100_000, "an endless line is cut, not kept");
});

test("written lines are read: all, the last, since, of several in order of time", async (t) => {
  const logDir = folder(t);
  const [a, b] = [new LogWriter(logFile(logDir, "a")), new LogWriter(logFile(logDir, "b"))];
  a.write("o", ["a1", "a2"], 10);
  b.write("e", ["b1"], 15);
  a.write("w", ["remark"], 20);
  a.close();
  b.close();
  const workloads = ["a", "b", "none"];
  assert.deepEqual(
    (await readLogs({ logDir, workloads })).map(({ line, stream }) => `${stream} ${line}`),
    ["stdout a1", "stdout a2", "stderr b1", "weir remark"],
  );
  assert.deepEqual(
    (await readLogs({ logDir, workloads, tail: 2 })).map((record) => record.line),
    ["b1", "remark"],
  );
  assert.deepEqual(
    (await readLogs({ logDir, workloads, since: 15 })).map((record) => record.line),
    ["b1", "remark"],
  );
  assert.deepEqual(await readLogs({ logDir, workloads: ["a"], tail: 0 }), []);
});

test("rotation keeps the number and size of files; reading goes back over them", async (t) => {
  const logDir = folder(t);
  const file = logFile(logDir, "a");
  const writer = new LogWriter(file, { fileBytes: 1_000, files: 3 });
  for (let line = 0; line < 200; line += 1) writer.write("o", [`line ${line}`], line);
  writer.close();
  assert.ok(existsSync(logFileName(file, 2)) && !existsSync(logFileName(file, 3)));
  const lines = (await readLogs({ logDir, workloads: ["a"] })).map((record) => record.at);
  assert.equal(lines.at(-1), 199);
  assert.ok(lines.length > 60 && lines.every((at, index) => index === 0 || at === (lines[index - 1] ?? 0) + 1), "no gap, the newest kept");
  assert.equal((await readLogs({ logDir, workloads: ["a"], tail: 60 })).length, 60);
});

test("a line that a crash cut is left out", async (t) => {
  const logDir = folder(t);
  writeFileSync(logFile(logDir, "a"), '[1,"o","whole"]\n[2,"o","cu');
  assert.deepEqual(
    (await readLogs({ logDir, workloads: ["a"] })).map((record) => record.line),
    ["whole"],
  );
  for (const text of ["", "null", "{}", '[1,"x","line"]', '["1","o","line"]', "[1]"]) assert.equal(parseLogLine("a", text), undefined, text);
});

test("following: what is there, what comes, over rotation, of one that appears later", async (t) => {
  const logDir = folder(t);
  const writer = new LogWriter(logFile(logDir, "a"), { fileBytes: 600, files: 5 });
  writer.write("o", ["0"], 0);
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const record of followLogs({ logDir, workloads: ["a", "late"] }, stop.signal, realClock)) {
      seen.push(`${record.workload}${record.line}`);
      if (seen.filter((line) => line.startsWith("a")).length === 101 && seen.includes("late!")) stop.abort();
    }
  })();
  for (let line = 1; line <= 100; line += 1) {
    writer.write("o", [String(line)], line);
    if (line % 10 === 0) await realClock.sleep(15);
  }
  appendFileSync(logFile(logDir, "late"), '[5,"e","!"]\n');
  await reading;
  writer.close();
  assert.deepEqual(
    seen.filter((line) => line.startsWith("a")),
    Array.from({ length: 101 }, (_, at) => `a${at}`),
  );
});
