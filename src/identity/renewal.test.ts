import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isUsable, redialDelayMs, renewAt, retryDelayMs } from "./renewal.ts";

const chance = fc.double({ min: 0, max: 1, noNaN: true });

test("renewal falls between 45 and 55 percent of a life, wherever chance falls", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), chance, (life, by) => {
      const at = renewAt({ notBefore: 1000, notAfter: 1000 + life }, by) - 1000;
      assert.ok(at >= 0.45 * life - 1 && at <= 0.55 * life + 1);
    }),
  );
  assert.equal(renewAt({ notBefore: 0, notAfter: 100 }, 0.5), 50);
});

test("retries wait longer each time, up to five minutes", () => {
  assert.deepEqual(
    [1, 2, 3, 9, 10, 5000].map((failures) => retryDelayMs(failures, 1)),
    [1000, 2000, 4000, 256_000, 300_000, 300_000],
  );
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), chance, (failures, by) => retryDelayMs(failures, by) >= 500));
});

test("a certificate is usable from its first moment until just before its last", () => {
  const life = { notBefore: 10, notAfter: 20 };
  assert.deepEqual(
    [9, 10, 19, 20].map((now) => isUsable(life, now)),
    [false, true, true, false],
  );
});

test("who met the control plane that stands by calls again soon; a long silence is asked about less often", () => {
  assert.deepEqual(
    [1, 5, 6, 16, 17, 19, 22, 5000].map((failures) => redialDelayMs(failures, 1)),
    [100, 100, 1_000, 1_000, 2_000, 8_000, 30_000, 30_000],
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), chance, (failures, by) => redialDelayMs(failures, by) >= 50 && redialDelayMs(failures, by) <= 30_000),
  );
});
