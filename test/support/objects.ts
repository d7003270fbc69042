/** Reading emitted objects in tests. */
import assert from "node:assert/strict";
import type { Emission, KubeObject } from "../../src/emit/kubernetes/object.ts";
import type { Problem, Result } from "../../src/lib/problem.ts";

/** The objects of a success; fails the test on problems. */
export function objectsOf(result: Result<Emission>): readonly KubeObject[] {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems, undefined, 2));
  return result.value.objects;
}

/** The problems of a refusal; fails the test if nothing was refused. */
export function problemsOf(result: Result<Emission>): readonly Problem[] {
  assert.ok(!result.ok, "nothing was refused");
  return result.problems;
}

/** The one object of that kind and name. */
export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  assert.equal(found.length, 1, `${found.length} objects ${kind} ${name} among ${objects.map((one) => `${one.kind} ${one.metadata.name}`).join(", ")}`);
  return found[0] as KubeObject;
}

/** A value inside an object as plain JSON: without what is left out. `path` is like `spec.rules.0.matches`. */
export function at(object: KubeObject, path: string): unknown {
  let value: unknown = JSON.parse(JSON.stringify(object));
  for (const key of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
  return value;
}

/** All weighted destinations in an object, one list for each rule that has any. */
export function weightLists(object: KubeObject): readonly (readonly number[])[] {
  const lists: (readonly number[])[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if ((key === "backendRefs" || key === "route") && Array.isArray(inner)) {
        lists.push((inner as readonly { readonly weight?: number }[]).map(({ weight }) => weight ?? (inner.length === 1 ? 100 : Number.NaN)));
      } else visit(inner);
    }
  };
  visit(object.spec);
  return lists;
}
