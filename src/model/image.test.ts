import assert from "node:assert/strict";
import { test } from "node:test";
import { isImageName } from "./image.ts";

test("names of images as container runtimes read them", () => {
  const digest = `sha256:${"a1".repeat(32)}`;
  const names = [
    "web",
    "web:1.0",
    "shop/web",
    "localhost:5000/shop/web:V2_a.b-c",
    "registry.example.com/web",
    `web@${digest}`,
    `a.b/c/d__e:1@${digest}`,
    "Host/web",
  ];
  for (const name of names) assert.ok(isImageName(name), name);
  const others = ["", " ", "Web", "web:", "web@", "web@sha256:12", "/web", "web/", "a//b", "web:a b", "web\n", "https://a.b/web", `a/${"b".repeat(500)}`];
  for (const name of others) assert.ok(!isImageName(name), name);
});
