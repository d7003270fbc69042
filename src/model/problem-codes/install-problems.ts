import type { ProblemEntry } from "../problem-codes.ts";

/** What can go wrong when Weir is put on a cluster or taken off it; by code, in alphabetical order. */
export const installProblems: Readonly<Record<string, ProblemEntry>> = {
  "ca-folder-unreadable": {
    title: "unreadable folder",
    explanation: "The folder of your certificate authority cannot be read.",
    next: "Name a folder that exists and that you may read.",
  },
  "cluster-forbidden": {
    title: "not allowed on the cluster",
    explanation: "The cluster knows you, but your roles lack rights that the command needs; the message names them. Nothing was changed.",
    next: "Ask for the role `cluster-admin` while you install; Weir itself gets only what it needs.",
  },
  "cluster-refused": {
    title: "refused by the cluster",
    explanation: "The API server, or an admission webhook of the cluster, did not accept an object; the message has its words.",
    next: "Change what it names: a policy of the cluster, or an option of the command.",
  },
  "cluster-unauthorized": {
    title: "not known to the cluster",
    explanation: "The API server does not accept the credentials of the kubeconfig.",
    next: "Log in anew; `kubectl auth whoami` says who you are.",
  },
  "cluster-unreachable": {
    title: "no answer from the cluster",
    explanation: "The API server of the context cannot be reached, or does not answer in time.",
    next: "See whether `kubectl version` answers; name another cluster with `--context`.",
  },
  "context-not-supported": {
    title: "this machine only",
    explanation: "A cluster is the chosen context, and the command acts on this machine. It does not guess which one you mean.",
    next: "`weir context use local` goes back to this machine.",
  },
  "context-unreadable": {
    title: "an unreadable choice",
    explanation: "The file that remembers the chosen context is damaged or not yours, so it is not known where commands should act.",
    next: "Choose anew, for instance with `weir context use local`.",
  },
  "domain-invalid": {
    title: "no domain",
    explanation: "The domain below which public apps have their names is no name that DNS could have.",
    next: "Write it in lower case, like `apps.example.com`.",
  },
  "install-not-ready": {
    title: "not ready in time",
    explanation: "A pod of Weir's is not ready; the message has the cluster's reason and the last lines of its log. What was applied stays.",
    next: "Mend the reason, then run `weir install --wait` again.",
  },
  "install-object-ending": {
    title: "an object on its way out",
    explanation: "An object of an earlier installation is still being deleted.",
    next: "Wait until it is gone; `weir uninstall --wait` waits for that.",
  },
  "install-object-foreign": {
    title: "somebody else's object",
    explanation: "The cluster has an object by the name of one of Weir's, which no installation of Weir made. It is left alone.",
    next: "Delete it, or label it `weir.dev/part-of=install` to hand it over.",
  },
  "root-not-ours": {
    title: "the root is yours",
    explanation: "`weir install --new-root` replaces the root of Weir's own certificate authority; this installation has one that you brought.",
    next: "Give another one: `weir install --ca-dir DIR`, or in the Secret `weir-plug-in-ca`.",
  },
  "trust-domain-differs": {
    title: "another trust domain",
    explanation:
      "The installation has a trust domain, and the command names another one. All identities would change, and nobody would trust anybody meanwhile.",
    next: "Leave `--trust-domain` out, or uninstall first.",
  },
  "uninstall-in-use": {
    title: "something is declared",
    explanation:
      "Objects of weir.dev are on the cluster. Their kinds are part of the installation, so they would be deleted with it, and so would the pods that Weir runs for them.",
    next: "Take down what is declared (`weir down --all`, or look with `kubectl get weir -A`), or say `--force`.",
  },
  "uninstall-not-gone": {
    title: "still there",
    explanation: "Everything was deleted, but the cluster has not finished with it in time.",
    next: "`kubectl describe namespace weir-system` says what it waits for.",
  },
  "uninstall-not-released": {
    title: "a node that holds its pods",
    explanation:
      "The agent of a node has not taken its rules out of the pods there. Without an agent these pods would have no network, so nothing more was removed.",
    next: "Mend the node, or delete it from the cluster, and uninstall again. `--force` goes on without it.",
  },
  "uninstall-unconfirmed": {
    title: "not confirmed",
    explanation: "To take Weir off a cluster ends mutual TLS and deletes the certificate authority, so somebody must say yes.",
    next: "Answer with `yes`, or use `--yes`.",
  },
};
