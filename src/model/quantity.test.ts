import assert from "node:assert/strict";
import { test } from "node:test";
import { isQuantity, quantityValue } from "./quantity.ts";

test("quantities are numbers with a suffix, as Kubernetes reads them", () => {
  const values = { "250m": 0.25, "1": 1, "1.5": 1.5, "2k": 2_000, "1Ki": 1_024, "128Mi": 134_217_728, "1Gi": 1_073_741_824, "1e3": 1_000, "2E": 2e18, "0": 0 };
  for (const [text, value] of Object.entries(values)) assert.equal(quantityValue(text), value, text);
});

test("anything else is none", () => {
  for (const text of ["", "Gi", "1 Gi", "1gb", "1Gb", "-1Gi", "1GiB", "one", "1e", ".", "1e999", "0x10"]) assert.equal(isQuantity(text), false, text);
});
