import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/real.ts";
import { defaultTrustDomain } from "../model/spiffe.ts";
import { type AliasFiles, checkAliases, readAliasFolder } from "./aliases.ts";
import { createOwnCa } from "./authority.ts";

const { root } = await createOwnCa(defaultTrustDomain, Date.UTC(2027, 0, 1));

function codesOf(files: AliasFiles): readonly string[] {
  const result = checkAliases(files, defaultTrustDomain);
  return result.ok ? [] : result.problems.map(({ code }) => code);
}

test("a folder as Kubernetes mounts a ConfigMap: one file of roots for each trust domain", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, "..data"));
  writeFileSync(path.join(folder, "b.example"), root.pem);
  writeFileSync(path.join(folder, "a.example"), root.pem + root.pem);
  const result = checkAliases(await readAliasFolder(folder), defaultTrustDomain);
  assert.deepEqual(result.ok && result.value, [
    { trustDomain: "a.example", roots: [root] },
    { trustDomain: "b.example", roots: [root] },
  ]);
  assert.deepEqual(await readAliasFolder(path.join(folder, "none")), {});
});

test("what is no alias", () => {
  assert.deepEqual(codesOf({ "No Domain": root.pem }), ["trust-domain-invalid"]);
  assert.deepEqual(codesOf({ [defaultTrustDomain]: root.pem }), ["trust-domain-own"]);
  assert.deepEqual(codesOf({ "a.example": "", "b.example": "hello", "c.example": root.pem.replace("\n", "\nAAAA") }), Array(3).fill("ca-unreadable"));
});
