/** A node agent's ServiceAccount token, as the Kubernetes API reviewed it: which node speaks? Pure. */
import { failed, ok, type Result } from "../lib/problem.ts";

/** The part of `authentication.k8s.io/v1` TokenReview's status that counts. */
export interface TokenReviewStatus {
  readonly authenticated?: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
}

export interface ExpectedAgent {
  /** The audience that the token was made for; a token for the Kubernetes API itself must not do. */
  readonly audience: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const nodeNameKey = "authentication.kubernetes.io/node-name";

/** The name of the node on which the agent runs. Kubernetes puts it into the token when it is projected into a pod. */
export function nodeOfTokenReview(status: TokenReviewStatus, expected: ExpectedAgent): Result<string> {
  if (status.authenticated !== true) return refused(status.error ?? "the Kubernetes API does not accept it");
  if (status.audiences?.includes(expected.audience) !== true) return refused(`it is not for the audience "${expected.audience}"`);
  const username = `system:serviceaccount:${expected.namespace}:${expected.serviceAccount}`;
  if (status.user?.username !== username) return refused(`it belongs to ${status.user?.username ?? "nobody"}, not to ${username}`);
  const nodes = status.user.extra?.[nodeNameKey] ?? [];
  const [node] = nodes;
  return nodes.length === 1 && node !== undefined && node !== "" ? ok(node) : refused("it is not bound to a node");
}

function refused(why: string): Result<string> {
  return failed({ code: "node-token-refused", message: `the node's token is refused: ${why}`, hint: "Mount a projected token for the right audience." });
}
