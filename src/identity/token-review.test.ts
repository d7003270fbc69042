import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerOfTokenReview, type TokenReviewStatus } from "./token-review.ts";

const agent = { audience: "weir", namespace: "weir-system", serviceAccount: "weir-node" };
const user = { username: "system:serviceaccount:weir-system:weir-node", extra: { "authentication.kubernetes.io/node-name": ["worker-1"] } };
const good: TokenReviewStatus = { authenticated: true, audiences: ["weir"], user };
const inPod = { "authentication.kubernetes.io/node-name": ["worker-1"], "authentication.kubernetes.io/pod-name": ["web-0"] };

test("a token of the agent's account that is bound to a node names the node", () => {
  assert.deepEqual(bearerOfTokenReview(good, agent), { ok: true, value: { kind: "node", node: "worker-1" } });
});

test("a token of any other account that is bound to a pod names account and pod", () => {
  const status = { ...good, user: { username: "system:serviceaccount:shop:weir-node", extra: inPod } };
  assert.deepEqual(bearerOfTokenReview(status, agent), { ok: true, value: { kind: "pod", namespace: "shop", serviceAccount: "weir-node", pod: "web-0" } });
});

const bad: Readonly<Record<string, TokenReviewStatus>> = {
  "not authenticated": { ...good, authenticated: false, error: "token expired" },
  nothing: {},
  "for another audience": { ...good, audiences: ["https://kubernetes.default.svc"] },
  "for any audience": { authenticated: true, user },
  "of another account, bound to no pod": { ...good, user: { ...user, username: "system:serviceaccount:shop:weir-node" } },
  "of a person": { ...good, user: { username: "admin", extra: inPod } },
  "of nobody": { authenticated: true, audiences: ["weir"] },
  "bound to no node": { ...good, user: { username: user.username } },
  "bound to two nodes": { ...good, user: { ...user, extra: { "authentication.kubernetes.io/node-name": ["a", "b"] } } },
  "bound to a node without a name": { ...good, user: { ...user, extra: { "authentication.kubernetes.io/node-name": [""] } } },
};

for (const [what, status] of Object.entries(bad)) {
  test(`a token is refused: ${what}`, () => {
    const result = bearerOfTokenReview(status, agent);
    assert.equal(result.ok ? "accepted" : result.problems[0]?.code, "node-token-refused");
  });
}
