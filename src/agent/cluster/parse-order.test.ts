import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/real.ts";
import type { NodeOrder } from "./contract.ts";
import { fileMemory } from "./memory.ts";
import { parseOrder } from "./parse-order.ts";

const pod = {
  uid: "0a1b2c3d-1111-4222-8333-444455556666",
  namespace: "default",
  name: "web",
  address: "10.1.0.2",
  identity: "spiffe://weir/ns/default/sa/web",
  mode: "strict",
  probePorts: [8080],
  capture: true,
} as const;
const order: NodeOrder = { generation: 3, pods: [pod], meshNamespaces: ["shop"], gateways: ["0a1b2c3d-1111-4222-8333-444455556667"] };

test("an order is read as it was written, unknown words left out", () => {
  assert.deepEqual(parseOrder(JSON.parse(JSON.stringify({ ...order, more: 1, pods: [{ ...pod, later: 2 }] }))), order);
  assert.deepEqual(parseOrder({ generation: 0, pods: [] }), { generation: 0, pods: [], meshNamespaces: [], gateways: [] });
});

for (const [what, change] of [
  ["a UID that leaves the folder", { uid: "../../etc" }],
  ["an address that is a rule", { address: "10.1.0.2 accept" }],
  ["a port that is none", { probePorts: [0] }],
  ["a port that is text", { probePorts: ["80"] }],
  ["a mode that is none", { mode: "loose" }],
  ["no word about capture", { capture: undefined }],
  ["no name", { name: "" }],
] as const) {
  test(`refused: ${what}`, () => assert.throws(() => parseOrder({ ...order, pods: [{ ...pod, ...change }] }), /^Error: order: /));
}

test("refused: what is no order at all, and a pod twice", () => {
  for (const value of [null, [], "x", { generation: -1, pods: [] }, { generation: 1 }, { generation: 1, pods: [1] }, { ...order, pods: [pod, pod] }])
    assert.throws(() => parseOrder(value), /order: /);
});

test("the memory keeps order and guarded pods; a broken file counts as none", (t) => {
  const folder = path.join(temporaryFolder(t), "state");
  const guarded = [{ uid: pod.uid, namespace: "shop", name: "web", address: "10.1.0.3", sources: ["/proc/1/ns/net"] }];
  fileMemory(folder).save({ order, guarded });
  assert.deepEqual(fileMemory(folder).load(), { order, guarded });
  writeFileSync(path.join(folder, "order.json"), "{");
  assert.equal(fileMemory(folder).load().order.generation, 0);
  fileMemory(folder).forget();
  assert.equal(fileMemory(folder).load().order.pods.length, 0);
});
