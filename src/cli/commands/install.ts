/** Weir on a Kubernetes cluster: there, and gone again. */
import type { Command } from "../command.ts";

const clusterOptions = [
  { flags: "--context <name>", description: "context of the kubeconfig (default: the chosen one, else kubectl's)" },
  { flags: "--kubeconfig <file>", description: "another kubeconfig (default: $KUBECONFIG, ~/.kube/config)" },
];

export const install: Command = {
  path: ["install"],
  summary: "put Weir on a Kubernetes cluster, or bring it to this version",
  options: [
    { flags: "--plan", description: "only show what would change" },
    { flags: "--wait", description: "return when it is ready on every node" },
    { flags: "--timeout <time>", description: "give up waiting after this; what is there stays (default: 3m)" },
    ...clusterOptions,
    { flags: "--image <ref>", description: "container image (default: weir.dev/weir of this version)" },
    { flags: "--domain <name>", description: "what is public has names below it, at a load balancer (default: as installed, else localhost, in the cluster)" },
    { flags: "--trust-domain <name>", description: "first part of all identities (default: as installed, else weir.local)" },
    {
      flags: "--trust-domain-alias <name=file>",
      description: "another trust domain whose identities are let in, and its roots; or none (default: as installed)",
      many: true,
    },
    { flags: "--new-root", description: "replace the root of Weir's own certificate authority: it signs when every node trusts it" },
    { flags: "--ca-dir <dir>", description: "your own certificate authority: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem" },
  ],
  namespaced: false,
  output: true,
  where: "anywhere",
  examples: [
    "install --plan",
    "install --wait",
    "install --domain apps.example.com",
    "install --context production --image registry.example.com/weir:0.1.0",
    "install --ca-dir ./ca",
    "install --trust-domain-alias old.example=./old-roots.pem",
  ],
  run: async (invocation) => (await import("../cluster/run-install.ts")).runInstall(invocation),
};

export const uninstall: Command = {
  path: ["uninstall"],
  summary: "take Weir off a cluster; pods go on without the mesh",
  options: [
    { flags: "--wait", description: "return when everything is gone" },
    { flags: "--yes", description: "do not ask" },
    { flags: "--timeout <time>", description: "give up after this when a node does not let its pods go (default: 3m)" },
    { flags: "--force", description: "go on even then (rules stay in the pods of that node), and delete all that is declared" },
    ...clusterOptions,
  ],
  namespaced: false,
  where: "anywhere",
  examples: ["uninstall", "uninstall --yes --wait", "uninstall --context staging"],
  run: async (invocation) => (await import("../cluster/run-uninstall.ts")).runUninstall(invocation),
};
