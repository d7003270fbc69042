/** Rounds are counted when something declared or the World is new, and forgotten when a newer one is acknowledged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { appObject } from "../../../test/support/declarations.ts";
import { clusterView, type Raw } from "../../../test/support/kube-objects.ts";
import type { World } from "../../model/world.ts";
import { translateCluster } from "../../providers/kubernetes/translate.ts";
import { clusterGateway, clusterWorld } from "./cluster-world.ts";
import { type Sent, SentRounds } from "./in-force.ts";

function sentOf(raw: Raw, before?: World): Sent {
  const view = clusterView(raw);
  const translation = translateCluster(view);
  return { world: clusterWorld(translation, 0, clusterGateway("localhost"), before), view, declaredApps: translation.declaredApps };
}

test("what is the same but for what nobody declared is one round, and its newest view counts", () => {
  const rounds = new SentRounds();
  const first = sentOf({});
  const again = { ...first, view: { ...first.view, connected: false } };
  assert.deepEqual([rounds.add(first), rounds.add(again)], [1, 1]);
  assert.equal(rounds.acknowledged(1)?.view, again.view);
  assert.equal(rounds.add(sentOf({ apps: [appObject("web", {})] }, first.world)), 2);
});

test("before anything is acknowledged nothing is in force; then the newest that is", () => {
  const rounds = new SentRounds();
  const [one, two, three] = [sentOf({}), sentOf({}), sentOf({})];
  assert.deepEqual(
    [one, two, three].map((sent) => rounds.add(sent)),
    [1, 2, 3],
  );
  assert.equal(rounds.acknowledged(0), undefined);
  assert.equal(rounds.acknowledged(2)?.world, two.world);
  assert.equal(rounds.acknowledged(1), undefined, "forgotten: acknowledgements do not fall");
  assert.equal(rounds.acknowledged(3)?.world, three.world);
});
