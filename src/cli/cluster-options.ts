import type { Option } from "./command.ts";

/** Which cluster a command means. */
export const clusterOptions: readonly Option[] = [
  { flags: "--context <name>", description: "context of the kubeconfig, or local (default: the chosen one)" },
  { flags: "--kubeconfig <file>", description: "another kubeconfig (default: $KUBECONFIG, ~/.kube/config)" },
];
