import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { programs } from "../scripts/image/programs.ts";
import { findTools } from "../src/dataplane/tools.ts";

const root = path.resolve(import.meta.dirname, "..");

test("the image has every program that the agent looks for", () => {
  const { missing } = findTools([], "/nowhere");
  const { found } = findTools([], process.env["PATH"] ?? "");
  for (const name of new Set([...missing, ...Object.keys(found)])) assert.ok(programs.includes(name), name);
});

test("the image has every program that the agent's scripts for the shell call", () => {
  const shell = /\b(awk|cat|cp|cut|grep|head|ls|mkdir|rm|sed|sleep|sort|sysctl|tail|touch|tr|wc)\b(?= [-"$/'])/g;
  for (const file of globSync(["src/agent/cluster/*.ts", "scripts/image/agent.sh"], { cwd: root }).filter((name) => !name.endsWith(".test.ts"))) {
    const text = readFileSync(path.join(root, file), "utf8").replaceAll(/^\s*(\/\/|\*|\/\*\*|#).*$/gm, "");
    for (const [, name = ""] of text.matchAll(shell)) assert.ok(programs.includes(name), `${file} calls ${name}`);
  }
});
