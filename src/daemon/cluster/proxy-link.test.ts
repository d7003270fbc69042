/** What is known of Envoys: up to which round all of those that matter have everything, and what they refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { meshOf, pinnedPod, planWith, replicas } from "../../../test/support/node-mesh.ts";
import { service } from "../../../test/support/stacks.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { MeshPlan } from "../../compile/mesh-plan.ts";
import { compileNode, type NodePlan } from "../../compile/node-plan.ts";
import { Cell } from "../../lib/cell.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
import { nodeProxyId } from "../../model/spiffe.ts";
import type { TypeStatus } from "../../xds/conversation.ts";
import type { AckOutcome, AdsServer } from "../../xds/server.ts";
import { type Snapshot, sameSnapshot } from "../../xds/snapshot.ts";
import { ProxyLink } from "./proxy-link.ts";

/** Envoys that answer when a test says so. */
class FakeAds implements Pick<AdsServer, "publish" | "forget" | "status" | "waitAcked"> {
  readonly #snapshots = new Map<string, { readonly snapshot: Snapshot; readonly revision: number }>();
  readonly #waiting: { readonly node: string; readonly revision: number; readonly resolve: (outcome: AckOutcome) => void }[] = [];
  readonly away = new Set<string>();
  readonly methods = new Map();
  readonly changes = new Cell(0);

  publish(node: string, snapshot: Snapshot): number {
    const before = this.#snapshots.get(node);
    if (before !== undefined && sameSnapshot(before.snapshot, snapshot)) return before.revision;
    const revision = (before?.revision ?? 0) + 1;
    this.#snapshots.set(node, { snapshot, revision });
    return revision;
  }

  forget(node: string): void {
    this.#snapshots.delete(node);
  }

  status(): ReturnType<AdsServer["status"]> {
    return [...this.#snapshots].map(([nodeId, { revision }]) => ({ nodeId, connected: !this.away.has(nodeId), streams: 1, revision, types: new Map() }));
  }

  waitAcked(node: string, revision: number): Promise<AckOutcome> {
    return new Promise((resolve) => this.#waiting.push({ node, revision, resolve }));
  }

  /** The node's Envoy has all that it was sent up to now. */
  async answer(node: string, outcome: AckOutcome = { kind: "acked" }): Promise<void> {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.node === nodeProxyId(node)) waiting.resolve(outcome);
      else this.#waiting.push(waiting);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const pods = [pinnedPod("web-1", "a", "10.1.0.1"), pinnedPod("web-2", "b", "10.2.0.1")];
const [one, two] = [["10.1.0.1"], ["10.1.0.1", "10.2.0.1"]].map((all) =>
  planWith(
    [service("web")],
    [
      replicas(
        "web",
        all.map((address) => ({ address })),
      ),
    ],
  ),
) as [MeshPlan, MeshPlan];

function plans(plan: MeshPlan, nodes: readonly string[] = ["a", "b"], there: readonly PinnedPod[] = pods): ReadonlyMap<string, NodePlan> {
  return new Map(nodes.map((node) => [node, compileNode(plan, meshOf(there), node)]));
}

function started(): { readonly ads: FakeAds; readonly link: ProxyLink; readonly clock: VirtualClock } {
  const [ads, clock] = [new FakeAds(), new VirtualClock()];
  return { ads, clock, link: new ProxyLink({ ads, clock }) };
}

test("a round is acknowledged when the last of the nodes with pods has it", async () => {
  const { ads, link } = started();
  link.publish(plans(one), 1);
  assert.equal(link.acknowledged(), 0);
  await ads.answer("a");
  assert.equal(link.acknowledged(), 0);
  await ads.answer("b");
  assert.equal(link.acknowledged(), 1);
  link.publish(plans(two), 2);
  link.publish(plans(one), 3);
  assert.equal(link.acknowledged(), 1, "what is sent is not there yet");
  await ads.answer("a");
  await ads.answer("b");
  assert.equal(link.acknowledged(), 3);
});

test("a round that comes to the same is acknowledged with it", async () => {
  const { ads, link } = started();
  link.publish(plans(one), 1);
  await ads.answer("a");
  await ads.answer("b");
  link.publish(plans(one), 2);
  assert.equal(link.acknowledged(), 2);
});

test("nodes without pods of the mesh are not waited for, nor those whose Envoy is long away", async () => {
  const { ads, link, clock } = started();
  link.publish(plans(one, ["a", "b", "c"]), 1);
  await ads.answer("a");
  ads.away.add(nodeProxyId("b"));
  assert.equal(link.acknowledged(), 0, "not yet long");
  await clock.advance(31_000);
  assert.equal(link.acknowledged(), 1);
  const empty = started();
  empty.link.publish(plans(one, ["c"]), 1);
  assert.equal(empty.link.acknowledged(), Number.POSITIVE_INFINITY);
});

test("what an Envoy refused is told, but for pods' own listeners", async () => {
  const { ads, link } = started();
  link.publish(plans(one), 1);
  const said = { rejected: ["web@v1.default:80", "in/web-1"].map((name) => ({ name, message: "no" })), heldBack: ["services"] } as unknown as TypeStatus;
  await ads.answer("a", { kind: "rejected", types: new Map([["type", said]]) });
  assert.deepEqual(
    link.refusals().map(({ node, resource }) => `${node} ${resource}`),
    ["a web@v1.default:80", "a services"],
  );
});
