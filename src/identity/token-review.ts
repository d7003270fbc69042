/** A ServiceAccount token that was made for us, as the Kubernetes API reviewed it: which node's agent, or which pod of which account, speaks? Pure. */
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

/** Whose token it is. Kubernetes puts node and pod into a token that it projects into a pod. */
export type TokenBearer =
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "pod"; readonly namespace: string; readonly serviceAccount: string; readonly pod: string };

const nodeNameKey = "authentication.kubernetes.io/node-name";
const podNameKey = "authentication.kubernetes.io/pod-name";
const accountPattern = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** A token of the agents' account is its node's; any other is its pod's, in the name of the pod's own account. */
export function bearerOfTokenReview(status: TokenReviewStatus, agent: ExpectedAgent): Result<TokenBearer> {
  if (status.authenticated !== true) return refused(status.error ?? "the Kubernetes API does not accept it");
  if (status.audiences?.includes(agent.audience) !== true) return refused(`it is not for the audience "${agent.audience}"`);
  const [, namespace, serviceAccount] = accountPattern.exec(status.user?.username ?? "") ?? [];
  if (namespace === undefined || serviceAccount === undefined) return refused(`it belongs to ${status.user?.username ?? "nobody"}, which is no ServiceAccount`);
  const isAgent = namespace === agent.namespace && serviceAccount === agent.serviceAccount;
  const names = status.user?.extra?.[isAgent ? nodeNameKey : podNameKey] ?? [];
  const [name] = names;
  if (names.length !== 1 || name === undefined || name === "") return refused(`it is not bound to a ${isAgent ? "node" : "pod"}`);
  return ok(isAgent ? { kind: "node", node: name } : { kind: "pod", namespace, serviceAccount, pod: name });
}

function refused(why: string): Result<TokenBearer> {
  return failed({ code: "node-token-refused", message: `the token is refused: ${why}`, hint: "Mount a projected token for the right audience." });
}
