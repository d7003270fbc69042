import assert from "node:assert/strict";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";

const daemon = await startCannedDaemon();

test("explains a code, without a daemon", async () => {
  const { code, stdout } = await daemon.weir(["explain", "weights-sum"]);
  assert.equal(code, 0);
  assert.match(stdout, /^weights-sum: weights that do not add up\n\nThe weights of .* sum to 100\.\n.*\.\n$/);
  const asJson = await daemon.weir(["explain", "weights-sum", "-o", "json"]);
  assert.equal((JSON.parse(asJson.stdout) as { readonly code: string }).code, "weights-sum");
  assert.deepEqual(daemon.requests, []);
});

test("lists all codes", async () => {
  const { code, stdout } = await daemon.weir(["explain", "-o", "name"]);
  const codes = stdout.trim().split("\n");
  assert.equal(code, 0);
  assert.ok(codes.length > 100 && codes.includes("yaml-syntax"));
  assert.deepEqual(codes, codes.toSorted());
});

test("a wrong code is not found, the near one is named", async () => {
  const { code, stdout, stderr } = await daemon.weir(["explain", "weight-sum"]);
  assert.equal(code, 3);
  assert.equal(stdout, "");
  assert.match(stderr, /error\[unknown-problem\]: there is no problem "weight-sum"\n {2}hint: did you mean "weights-sum"\?/);
});
