import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { lastPathPart, resolvePath } from "./posix-path.ts";

test("paths are resolved as the platform does it", () => {
  const path = fc.array(fc.constantFrom("a", "b", ".", "..", ""), { maxLength: 8 }).map((parts) => parts.join("/"));
  fc.assert(fc.property(path, path, (dir, relative) => assert.equal(resolvePath(`/${dir}`, relative), posix.resolve(`/${dir}`, relative))));
});

test("the last part of a path", () => {
  assert.equal(lastPathPart("/a/b/"), "b");
  assert.equal(lastPathPart("/a/./"), "a");
  assert.equal(lastPathPart("/"), "");
});
