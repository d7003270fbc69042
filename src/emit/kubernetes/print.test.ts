import assert from "node:assert/strict";
import test from "node:test";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "./object.ts";
import { printObjects, sortObjects } from "./print.ts";

function config(name: string, data: KubeObject["data"] = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data };
}

test("objects come out by kind, namespace and name, whatever their order was", () => {
  const route: KubeObject = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: { name: "a" } };
  const namespace: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "z" } };
  const sorted = sortObjects([route, config("b"), config("a"), namespace]);
  assert.deepEqual(
    sorted.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ["Namespace z", "ConfigMap a", "ConfigMap b", "HTTPRoute a"],
  );
});

test("a kind without a place in the order is a bug", () => {
  assert.throws(() => sortObjects([config("a"), { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } }]), /Pod/);
});

test("texts that YAML 1.1 would read as something else come back as texts", () => {
  const data = { a: "on", b: "1_000", c: "0o17", d: "null", e: "two\nlines\n", f: "012", g: "1:30", h: "~" };
  const text = printObjects([config("a", data)], []);
  const [document] = parseAllDocuments(text, { version: "1.1" });
  assert.deepEqual(document?.toJS().data, data);
});

test("the header is comments, undefined is left out, equal values are not aliases", () => {
  const shared = { x: "1" };
  const object: KubeObject = { ...config("a"), spec: { one: shared, two: shared, gone: undefined } };
  const text = printObjects([object], ["first", "", "second"]);
  assert.ok(text.startsWith("# first\n#\n# second\n---\napiVersion: v1\n"));
  assert.ok(!/gone|&a|\*a/.test(text));
});
