import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAge } from "./age.ts";

test("an age has one unit, the largest of which there are at least two", () => {
  const ages = { [-5]: "0s", 999: "0s", 119_999: "119s", 120_000: "2m", 7_199_000: "119m", 7_200_000: "2h", 172_799_000: "47h", 172_800_000: "2d" };
  for (const [ms, text] of Object.entries(ages)) assert.equal(formatAge(Number(ms)), text, ms);
});
