import assert from "node:assert/strict";
import test from "node:test";
import { anything } from "../../../test/support/stacks.ts";
import type { RouteMatch } from "../../model/types.ts";
import { overtaking } from "./precedence.ts";

const exact = (value: string): RouteMatch => ({ ...anything, path: { kind: "exact", value } });
const prefix = (value: string): RouteMatch => ({ ...anything, path: { kind: "prefix", value } });
const regex = (value: string): RouteMatch => ({ ...anything, path: { kind: "regex", value } });
const header = (match: RouteMatch, name: string, value: string): RouteMatch => ({
  ...match,
  headers: [...match.headers, { name, value: { kind: "exact", value } }],
});

test("specific before general means the same in both", () => {
  assert.equal(overtaking([exact("/a")], [prefix("/a")]), "none");
  assert.equal(overtaking([prefix("/api")], []), "none");
  assert.equal(overtaking([prefix("/api/v1")], [prefix("/api")]), "none");
  assert.equal(overtaking([header(anything, "x", "1")], [anything]), "none");
  assert.equal(overtaking([{ ...anything, methods: ["GET"] }], [anything]), "none");
});

test("general before specific is found", () => {
  assert.equal(overtaking([prefix("/a")], [exact("/a/b")]), "more-specific");
  assert.equal(overtaking([], [prefix("/api")]), "more-specific");
  assert.equal(overtaking([header(prefix("/a"), "x", "1")], [prefix("/a/b")]), "more-specific");
  assert.equal(overtaking([{ ...anything, methods: ["GET"] }], [prefix("/a")]), "more-specific");
  assert.equal(overtaking([anything], [{ ...anything, query: [{ name: "q", value: { kind: "present" } }] }]), "more-specific");
});

test("requests that cannot match both do not matter", () => {
  assert.equal(overtaking([prefix("/a")], [exact("/ab")]), "none");
  assert.equal(overtaking([prefix("/a")], [prefix("/b/long/prefix")]), "none");
  assert.equal(overtaking([{ ...anything, methods: ["GET"] }], [{ ...prefix("/a"), methods: ["POST"] }]), "none");
  assert.equal(overtaking([header(anything, "x", "1")], [header(prefix("/a"), "x", "2")]), "none");
});

test("patterns have no defined place, equal matches tie", () => {
  assert.equal(overtaking([regex("/a.*")], [prefix("/")]), "undefined");
  assert.equal(overtaking([prefix("/")], [regex("/a.*")]), "undefined");
  assert.equal(overtaking([regex("/a.*")], [regex("/a.*")]), "tied");
  assert.equal(overtaking([header(anything, "x", "1")], [header(anything, "y", "1")]), "tied");
});

test("of several matches the worst pair counts", () => {
  assert.equal(overtaking([exact("/x"), prefix("/a")], [exact("/y"), exact("/a/b")]), "more-specific");
});
