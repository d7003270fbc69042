import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeOfTokenReview, type TokenReviewStatus } from "./token-review.ts";

const expected = { audience: "weir", namespace: "weir-system", serviceAccount: "weir-node" };
const user = { username: "system:serviceaccount:weir-system:weir-node", extra: { "authentication.kubernetes.io/node-name": ["worker-1"] } };
const good: TokenReviewStatus = { authenticated: true, audiences: ["weir"], user };

test("a token of the agent's account that is bound to a node names the node", () => {
  assert.deepEqual(nodeOfTokenReview(good, expected), { ok: true, value: "worker-1" });
});

const bad: Readonly<Record<string, TokenReviewStatus>> = {
  "not authenticated": { ...good, authenticated: false, error: "token expired" },
  nothing: {},
  "for another audience": { ...good, audiences: ["https://kubernetes.default.svc"] },
  "for any audience": { authenticated: true, user },
  "of another account": { ...good, user: { ...user, username: "system:serviceaccount:shop:weir-node" } },
  "of nobody": { authenticated: true, audiences: ["weir"] },
  "bound to no node": { ...good, user: { username: user.username } },
  "bound to two nodes": { ...good, user: { ...user, extra: { "authentication.kubernetes.io/node-name": ["a", "b"] } } },
  "bound to a node without a name": { ...good, user: { ...user, extra: { "authentication.kubernetes.io/node-name": [""] } } },
};

for (const [what, status] of Object.entries(bad)) {
  test(`a token is refused: ${what}`, () => {
    const result = nodeOfTokenReview(status, expected);
    assert.equal(result.ok ? "accepted" : result.problems[0]?.code, "node-token-refused");
  });
}
