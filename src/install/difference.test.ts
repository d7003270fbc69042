import assert from "node:assert/strict";
import { test } from "node:test";
import { differences } from "./difference.ts";

const deployment = (image: string, more: object = {}): object => ({
  kind: "Deployment",
  metadata: { name: "web", generation: 3, resourceVersion: "7", labels: { "app.kubernetes.io/name": "web" } },
  spec: {
    replicas: 1,
    template: {
      spec: {
        containers: [
          { name: "main", image },
          { name: "other", image: "x" },
        ],
      },
    },
  },
  status: { readyReplicas: 1 },
  ...more,
});

test("the same object has no difference, whatever the cluster wrote into it", () => {
  const later = {
    ...deployment("a"),
    metadata: { name: "web", generation: 4, resourceVersion: "9", managedFields: [1], labels: { "app.kubernetes.io/name": "web" } },
    status: {},
  };
  assert.deepEqual(differences(deployment("a"), later), []);
});

test("a list's elements go by their names, keys with dots are quoted", () => {
  const after = deployment("b", { metadata: { labels: { "app.kubernetes.io/name": "shop" } } });
  assert.deepEqual(differences(deployment("a"), after), [
    { path: "metadata.name", before: "web" },
    { path: 'metadata.labels."app.kubernetes.io/name"', before: "web", after: "shop" },
    { path: "spec.template.spec.containers[main].image", before: "a", after: "b" },
  ]);
});

test("what comes and goes is said, long values are cut", () => {
  const [gone, come] = differences({ a: 1 }, { b: "x".repeat(100) });
  assert.deepEqual(gone, { path: "a", before: "1" });
  assert.equal(come?.after?.length, 80);
});

test("a Secret's contents are never shown", () => {
  const secret = (content: string): object => ({ kind: "Secret", data: { key: content }, type: "Opaque" });
  assert.deepEqual(differences(secret("YQ=="), secret("Yg==")), [{ path: "data.key", before: "(secret)", after: "(another secret)" }]);
});
