/** Compares what every emitter makes of every golden input with what stands in its folder. WEIR_GOLDEN=update writes instead; read the difference before you commit it. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { emitters, expectedFiles, goldenCases, goldenDir, secret } from "./golden.ts";

const isUpdate = process.env["WEIR_GOLDEN"] === "update";

test("there are enough cases", () => assert.ok(goldenCases().length >= 20));

for (const name of goldenCases()) {
  test(`golden ${name}`, () => {
    const folder = path.join(goldenDir, name);
    const expected = expectedFiles(name);
    for (const [file, text] of expected) assert.ok(!text.includes(secret), `${file} tells a secret`);
    if (isUpdate) update(folder, expected);
    assert.deepEqual(readdirSync(folder).sort(), ["in.yaml", ...expected.keys()].sort(), "files in the folder: what nobody makes any longer must go");
    for (const [file, text] of expected) assert.equal(readFileSync(path.join(folder, file), "utf8"), text, `${name}/${file} (WEIR_GOLDEN=update accepts it)`);
  });
}

/** Writes what belongs there and removes what does not. */
function update(folder: string, expected: ReadonlyMap<string, string>): void {
  for (const file of [...emitters.map((one) => one.file), "problems.txt"]) {
    const text = expected.get(file);
    if (text !== undefined) writeFileSync(path.join(folder, file), text);
    else if (existsSync(path.join(folder, file))) rmSync(path.join(folder, file));
  }
}
