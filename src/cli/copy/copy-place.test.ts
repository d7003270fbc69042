import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../failure.ts";
import { copyPlace, copyPlan, splitInside } from "./copy-place.ts";

test("what is inside a workload and what is a file here", () => {
  const inside = (ref: string, path: string) => ({ kind: "inside", ref, path });
  const here = (path: string) => ({ kind: "here", path });
  const cases: readonly (readonly [string, object])[] = [
    ["web:/etc/hosts", inside("web", "/etc/hosts")],
    ["web@v1:log", inside("web@v1", "log")],
    ["team-a:web:/etc", inside("team-a:web", "/etc")],
    ["team-a:web@v2:/a:b", inside("team-a:web@v2", "/a:b")],
    ["web:a:b", inside("web", "a:b")],
    ["web:", inside("web", "")],
    ["./a:b", here("./a:b")],
    ["/a:b", here("/a:b")],
    ["file", here("file")],
    ["File:x", here("File:x")],
    ["-", { kind: "stream" }],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(copyPlace(text), wanted, text);
});

test("exactly one of the two is inside", () => {
  assert.equal(copyPlan("a", "web:/b").kind, "upload");
  assert.equal(copyPlan("web:/b", "-").kind, "download");
  for (const [from, to] of [
    ["a", "b"],
    ["web:/a", "api:/b"],
  ] as const)
    assert.throws(
      () => copyPlan(from, to),
      (error) => error instanceof Failure && error.problems[0]?.code === "cp-places-wrong",
    );
});

test("paths inside are taken apart so that nothing is an option", () => {
  assert.deepEqual(splitInside("/var/log/app.log"), { dir: "/var/log", base: "app.log" });
  assert.deepEqual(splitInside("/var/log/"), { dir: "/var", base: "log" });
  assert.deepEqual(splitInside("/var/log/."), { dir: "/var/log", base: "." });
  assert.deepEqual(splitInside("/"), { dir: "/", base: "." });
  assert.deepEqual(splitInside(""), { dir: ".", base: "." });
  assert.deepEqual(splitInside(".."), { dir: "..", base: "." });
  assert.deepEqual(splitInside("notes"), { dir: ".", base: "notes" });
  assert.deepEqual(splitInside("--to-command=x/y"), { dir: "./--to-command=x", base: "y" });
  assert.deepEqual(splitInside("/a/../b/c.hidden"), { dir: "/b", base: "c.hidden" });
});
