/** Every command pays for what is imported statically: what is big must be imported where it is used. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";

const src = path.resolve(import.meta.dirname, "..");
/** Static imports and re-exports that are there when the program runs: not `import type`, not `import()`. */
const statement = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const tooBig = ["@bufbuild/protobuf", "@kubernetes/client-node", "@peculiar/x509", "hono", "pino", "re2js", "tar-stream", "yaml", "zod"];

/** Every module and library that is reached, with the file that asks for it. */
function reached(entry: string): ReadonlyMap<string, string> {
  const found = new Map([[entry, "the entry"]]);
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(statement)) {
      const target = name.startsWith(".") ? path.resolve(path.dirname(file), name) : name;
      if (found.has(target)) continue;
      found.set(target, path.relative(src, file));
      if (name.startsWith(".")) waiting.push(target);
    }
  }
  return found;
}

test("starting `weir` loads no big library and no parser", () => {
  const graph = reached(path.join(src, "cli/main.ts"));
  const libraries = [...graph.keys()].filter((name) => !path.isAbsolute(name) && !name.startsWith("node:"));
  assert.deepEqual(
    libraries.filter((name) => tooBig.some((big) => `${name}/`.startsWith(`${big}/`))).map((name) => `${name} by ${graph.get(name)}`),
    [],
  );
  const files = [...graph.keys()].filter((name) => path.isAbsolute(name)).map((name) => path.relative(src, name));
  assert.deepEqual(
    files
      .filter((name) => !/^(cli|lib|model|api)\//.test(name) || name === "model/parse-stack.ts")
      .map((name) => `${name} by ${graph.get(path.join(src, name))}`),
    [],
  );
});

test("the walk sees what is imported", () => {
  const graph = reached(path.join(src, "cli/main.ts"));
  assert.ok(graph.has("commander"), "a library that every command needs");
  assert.ok(graph.has(path.join(src, "cli/commands/ps.ts")));
  assert.ok(!graph.has(path.join(src, "api/contract.ts")), "types are not there when the program runs");
  assert.ok(reached(path.join(src, "cli/commands/source.ts")).has("yaml"), "what is forbidden would be found");
});

test("node:http is never imported by the CLI: an import evaluates its lazy parts, which takes 50 ms", () => {
  assert.deepEqual(
    [...reached(path.join(src, "cli/main.ts"))].filter(([name]) => /^node:(http|https|http2|tls|crypto)$/.test(name)),
    [],
  );
});
