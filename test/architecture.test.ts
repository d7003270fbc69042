/** Holds the walls between the rooms of src/, and the limits of the house. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { rooms, staticImports, violations } from "./rooms.ts";

const root = path.resolve(import.meta.dirname, "..");
const sources = globSync("src/**/*.ts", { cwd: root });

test("src/ keeps to its rooms and limits", () => {
  assert.ok(sources.length > 10, "the scan found the source");
  const found = sources.flatMap((file) => violations(file.slice("src/".length), readFileSync(path.join(root, file), "utf8")));
  assert.deepEqual(found, []);
});

test("docs/architecture.md names every room that exists", () => {
  const text = readFileSync(path.join(root, "docs/architecture.md"), "utf8");
  for (const room of new Set(sources.map((file) => file.split("/")[1] ?? ""))) assert.match(text, new RegExp(`^\\| \`${room}\` \\|`, "m"));
});

test("rooms depend on each other in one direction only", () => {
  const visit = (name: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(name), `a circle: ${[...trail, name].join(" → ")}`);
    for (const next of rooms[name]?.may ?? []) if (!next.includes("/")) visit(next, [...trail, name]);
  };
  for (const name of Object.keys(rooms)) visit(name, []);
});

/** Files below src/ that are loaded with `file`, and the packages that they load. */
function loadedWith(file: string, seen = new Map<string, readonly string[]>()): ReadonlyMap<string, readonly string[]> {
  if (seen.has(file)) return seen;
  const imports = staticImports(file, readFileSync(path.join(root, "src", file), "utf8"));
  seen.set(
    file,
    imports.filter((specifier) => !specifier.startsWith(".")),
  );
  for (const specifier of imports) if (/^\..*\.ts$/.test(specifier)) loadedWith(path.posix.join(path.posix.dirname(file), specifier), seen);
  return seen;
}

for (const main of ["cli/main.ts", "daemon/main.ts"]) {
  test(`starting ${main} does not load the Kubernetes library, which takes half a second`, () => {
    const loaded = loadedWith(main);
    assert.ok(loaded.size > 10, `found only ${loaded.size} files`);
    assert.deepEqual(
      [...loaded].filter(([, packages]) => packages.includes("@kubernetes/client-node")),
      [],
    );
  });
}

/** A planted fault, and what must be said about it. */
const planted: readonly (readonly [file: string, source: string, expected: RegExp])[] = [
  ["model/a.ts", `import { x } from "../compile/x.ts";`, /may not import compile\/x\.ts/],
  ["model/a.ts", `import type { X } from "../compile/x.ts";`, /may not import compile\/x\.ts/],
  ["model/a.ts", `export * from "../compile/x.ts";`, /may not import compile\/x\.ts/],
  ["model/a.ts", `export type { X } from "../compile/x.ts";`, /may not import compile\/x\.ts/],
  ["model/a.ts", `const x = await import("../compile/x.ts");`, /may not import compile\/x\.ts/],
  ["model/a.ts", `type X = import("../compile/x.ts").X;`, /may not import compile\/x\.ts/],
  ["model/a.ts", `const x = require("../compile/x.ts");`, /may not import compile\/x\.ts/],
  ["model/file/a.ts", `\n\nimport "../../daemon/x.ts";`, /^src\/model\/file\/a\.ts:3: may not import daemon\/x\.ts/],
  ["daemon/a.ts", "const x = await import(name);", /computed/],
  ["daemon/a.ts", `import "../cli/main.ts";`, /may not import cli/],
  ["daemon/a.ts", `import "../../gen/envoy/x_pb.js";`, /may not import gen/],
  ["emit/istio/a.ts", `import "../../../gen/envoy/x_pb.js";`, /may not import gen/],
  ["daemon/a.ts", `import "../../test/rooms.ts";`, /may not import \.\.\/test/],
  ["cli/a.ts", `import "../api/server.ts";`, /may not import api\/server\.ts/],
  ["cli/a.ts", `import { z } from "zod";`, /package zod/],
  ["providers/local/a.ts", `import "../../agent/inner.ts";`, /may not import agent\/inner\.ts/],
  ["providers/local/a.ts", `const k = await import("@kubernetes/client-node");`, /only providers\/kubernetes does/],
  ["providers/kubernetes/a.ts", `import { KubeConfig } from "@kubernetes/client-node";`, /at once/],
  ["providers/kubernetes/a.ts", `export { KubeConfig } from "@kubernetes/client-node";`, /at once/],
  ["providers/local/translate.ts", "const at = Date.now();", /Date\.now/],
  ["lib/a.ts", `import path from "node:path";`, /node:path/],
  ["lib/a.ts", "const at = new Date();", /new Date/],
  ["lib/a.ts", "const x = Math.random();", /Math\.random/],
  ["lib/a.ts", "console.log(1);", /console/],
  ["lib/a.ts", "const x = process.env;", /process/],
  ["lib/a.ts", "const x = { process };", /process/],
  ["lib/a.ts", "setTimeout(run, 5);", /setTimeout/],
  ["rpc/a.ts", "let x: any;", /`any`/],
  ["rpc/a.test.ts", "const x = y as any;", /`any`/],
  ["rpc/a.ts", "export default 1;", /default export/],
  ["rpc/a.ts", "export function run() {}", /run has no doc comment/],
  ["rpc/a.ts", "/** Unrelated. */\nconst x = 1;\nexport function run() {}", /run has no doc comment/],
  ["rpc/a.ts", `function run() {${"\n".repeat(80)}}`, /run has 81 lines/],
  ["rpc/a.ts", "let x;\n".repeat(501), /501 lines/],
  ["elsewhere/a.ts", "", /no room/],
];

for (const [file, source, expected] of planted) {
  test(`found: ${file} ${source.slice(0, 60).replaceAll("\n", " ")}`, () => {
    const found = violations(file, source);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", expected);
  });
}

test("what is allowed is not reported", () => {
  const allowed: readonly (readonly [string, string])[] = [
    ["emit/envoy/a.ts", `import { X } from "../../../gen/envoy/x_pb.js"; import { create } from "@bufbuild/protobuf"; import "./b.ts";`],
    ["cli/a.ts", `import type { Plan } from "../api/contract.ts"; import { writeFile } from "node:fs/promises";`],
    ["lib/a.ts", `/** Says it. */\nexport function say(a: { process: string }) { return new Date(5).toISOString() + a.process; }`],
    ["lib/a.ts", `type T = { readonly any: string }; const x = { any: "any", console: 1 };`],
    ["lib/a.test.ts", `import path from "node:path"; console.log(Date.now());`],
    ["daemon/a.ts", `import "../agent/main.ts"; setTimeout(run, 5);`],
    ["providers/kubernetes/a.ts", `import type { KubeConfig } from "@kubernetes/client-node"; const k = await import("@kubernetes/client-node");`],
  ];
  for (const [file, source] of allowed) assert.deepEqual(violations(file, source), []);
});
