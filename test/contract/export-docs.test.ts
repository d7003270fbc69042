/** The table in docs/export.md is the contract suite's own table. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import type { Mesh } from "../../src/emit/kubernetes/refusal.ts";
import { features } from "./feature-stacks.ts";

const meshes: readonly Mesh[] = ["istio", "linkerd", "gateway-api"];

test("docs/export.md says what each mesh can say", () => {
  const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/export.md"), "utf8");
  const rows = features.map(({ name, refusedBy }) => `| ${name} | ${meshes.map((mesh) => (refusedBy.includes(mesh) ? "✖" : "✔")).join(" | ")} |`);
  const table = ["| | Istio | Linkerd | Gateway API |", "|---|---|---|---|", ...rows].join("\n");
  assert.equal(/<!-- features -->\n([^]*?)\n<!-- \/features -->/.exec(page)?.[1], table);
});
