import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clusterPuts } from "../../test/support/declared-arbitraries.ts";
import { runs } from "../../test/support/runs.ts";
import { parseStack } from "../model/parse-stack.ts";
import { declaredObject } from "../providers/kubernetes/translate-declared.ts";
import { type StructuralSchema, structuralSchema } from "./crd-schema.ts";
import { specSchema } from "./crds.ts";

/** Paths in `value` that the schema does not know: the API server would drop them silently. */
function pruned(value: unknown, schema: StructuralSchema | undefined, path: string): readonly string[] {
  if (schema === undefined) return [path];
  if (Array.isArray(value)) return value.flatMap((item, at) => pruned(item, schema.items, `${path}[${at}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => pruned(field, schema.properties?.[name] ?? schema.additionalProperties, `${path}.${name}`));
}

/** The value with defaults, as the API server completes it. */
function completed(value: unknown, schema: StructuralSchema | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => completed(item, schema?.items));
  if (typeof value !== "object" || value === null) return value;
  const missing = Object.entries(schema?.properties ?? {}).filter(([name, field]) => field.default !== undefined && !(name in value));
  const full = { ...value, ...Object.fromEntries(missing.map(([name, field]) => [name, field.default])) };
  return Object.fromEntries(Object.entries(full).map(([name, field]) => [name, completed(field, schema?.properties?.[name] ?? schema?.additionalProperties)]));
}

for (const kind of ["service", "app", "job", "router", "external"] as const) {
  test(`the API server knows every field of ${kind}`, () => {
    const schema = specSchema(kind);
    fc.assert(
      fc.property(clusterPuts[kind], (put) => assert.deepEqual(pruned(JSON.parse(JSON.stringify(declaredObject(put)["spec"])), schema, "spec"), [])),
      { numRuns: runs(100) },
    );
  });
}

test("what an object leaves out has the same defaults as in weir.yaml", () => {
  const text = `
services:
  web: { command: serve, ports: ["80"], health: { ready: { tcp: 80 } } }
routers:
  www: { rules: [{ match: [{ path: /a, headers: { x: y } }], to: web }] }
`;
  const stack = parseStack({ file: "weir.yaml", text, dir: "/", files: {}, env: {} }, { stack: "shop" });
  assert.ok(stack.ok, JSON.stringify(stack));
  const [service] = stack.value.services;
  const [router] = stack.value.routers;
  assert.ok(service !== undefined && router !== undefined);
  const { namespace: _namespace, command, dir: _dir, public: _public, ...template } = service;
  const version = completed(
    { app: "web", version: "v1", command, ports: [{ port: 80, containerPort: 80 }], health: { ready: { check: { kind: "tcp", port: 80 } } } },
    specSchema("service"),
  );
  assert.deepEqual(version, { ...template, command, dir: "/", origin: "file", restarts: 0 });
  const rule = {
    match: [{ path: { value: "/a" }, headers: [{ name: "x", value: { value: "y" } }] }],
    action: { destinations: [{ to: { name: "web", namespace: "default" } }] },
  };
  const { hosts, public: isPublic, rules } = router;
  const wanted = rules.map(({ where: _where, ...one }) => one);
  assert.deepEqual(completed({ rules: [rule] }, specSchema("router")), { hosts, public: isPublic, rules: wanted });
});

test("a rule about a field that does not exist is a bug", () => {
  assert.throws(() => structuralSchema({ type: "object", properties: { a: { type: "string" } } }, { b: { default: 1 } }), /no such fields: b/);
});

test("a union becomes one object with rules about which fields belong together", () => {
  const variant = (kind: string, field: string) => ({
    type: "object",
    properties: { kind: { type: "string", const: kind }, [field]: { type: "string" } },
    required: ["kind", field],
  });
  const made = structuralSchema({ oneOf: [variant("a", "x"), variant("b", "y")] }, {});
  assert.deepEqual(Object.keys(made.properties ?? {}), ["kind", "x", "y"]);
  assert.deepEqual(made.required, ["kind"]);
  assert.deepEqual(
    made["x-kubernetes-validations"]?.map(({ message }) => message),
    ["a: needs x", "x belongs to the kind a", "b: needs y", "y belongs to the kind b"],
  );
});
