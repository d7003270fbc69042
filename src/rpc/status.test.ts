import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeStatusMessage, encodeStatusMessage, parseStatus, Status, statusOfHttp } from "./status.ts";
import { formatTimeout, parseTimeout } from "./timeout.ts";

test("status messages come back as they were, and travel as printable ASCII", () => {
  const check = (message: string): void => {
    const encoded = encodeStatusMessage(message);
    assert.match(encoded, /^[\x20-\x7e]*$/);
    assert.equal(decodeStatusMessage(encoded), message);
  };
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), check));
  assert.equal(encodeStatusMessage("50 % größer\n"), "50 %25 gr%C3%B6%C3%9Fer%0A");
});

test("broken status messages are shown, not thrown", () => {
  assert.equal(decodeStatusMessage("100%"), "100%");
  assert.equal(decodeStatusMessage("%zz%4"), "%zz%4");
  assert.equal(decodeStatusMessage("%FF"), "\u{FFFD}");
});

test("a status that is none is unknown", () => {
  assert.equal(parseStatus("5"), Status.notFound);
  for (const text of ["", "17", "-1", "5 ", "NaN", "005"]) assert.equal(parseStatus(text), Status.unknown, text);
  assert.equal(statusOfHttp(503), Status.unavailable);
  assert.equal(statusOfHttp(404), Status.unimplemented);
  assert.equal(statusOfHttp(418), Status.unknown);
});

test("timeouts: units, rounding up, and what is none", () => {
  assert.equal(parseTimeout("1500m"), 1500);
  assert.equal(parseTimeout("2S"), 2000);
  assert.equal(parseTimeout("1u"), 1);
  assert.equal(parseTimeout("3H"), 10_800_000);
  for (const text of ["", "5", "m", "-1m", "123456789m", "1.5S", "1s"]) assert.equal(parseTimeout(text), undefined, text);
});

test("a written timeout never comes early and is within a hundredth", () => {
  const check = (ms: number): void => {
    const read = parseTimeout(formatTimeout(ms)) ?? Number.NaN;
    assert.ok(read >= ms && read <= ms * 1.01 + 1, `${ms} became ${formatTimeout(ms)}`);
  };
  fc.assert(fc.property(fc.integer({ min: 0, max: 3e10 }), check));
});
