/** Orders to nodes: only news, each later than the one before, also than those of a control plane before us. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { NodeOrder } from "../../agent/cluster/contract.ts";
import { NodeOrders } from "./node-orders.ts";

test("a node gets an order when it is another, and the first again when it was forgotten", () => {
  const clock = new VirtualClock({ now: 1_000 });
  const given: (readonly [string, number])[] = [];
  const orders = new NodeOrders({
    clock,
    agents: { order: (node, { generation }) => given.push([node, generation]), forget: (node) => given.push([node, 0]) },
  });
  const order: Omit<NodeOrder, "generation"> = { pods: [], meshNamespaces: [], gateways: [] };
  orders.give("a", order);
  orders.give("a", { ...order });
  orders.give("b", order);
  orders.give("a", { ...order, meshNamespaces: ["shop"] });
  orders.forget("b");
  orders.give("b", order);
  assert.deepEqual(given, [
    ["a", 1_000],
    ["b", 1_000],
    ["a", 1_001],
    ["b", 0],
    ["b", 1_000],
  ]);
});
