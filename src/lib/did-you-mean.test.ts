import assert from "node:assert/strict";
import { test } from "node:test";
import { closest, didYouMean } from "./did-you-mean.ts";

test("a close word is found, a far one is not", () => {
  const keys = ["command", "ports", "public", "scale"];
  assert.equal(closest("comand", keys), "command");
  assert.equal(closest("Ports", keys), "ports");
  assert.equal(closest("port", keys), "ports");
  assert.equal(closest("image", keys), undefined);
  assert.equal(closest("v", ["v1", "v2"]), "v1");
  assert.equal(closest("x".repeat(10_000), ["x".repeat(10_000)]), undefined);
});

test("without a close word all are listed", () => {
  assert.equal(didYouMean("prots", ["ports"]), 'did you mean "ports"?');
  assert.equal(didYouMean("image", ["command", "ports", "ports"]), "one of command, ports");
  assert.equal(didYouMean("image", ["web"]), "only web is known here");
  assert.equal(didYouMean("image", []), undefined);
  assert.match(
    didYouMean(
      "zzzzzz",
      Array.from({ length: 20 }, (_, n) => `name-${n}`),
    ) ?? "",
    /name-11, …$/,
  );
});
