/** What is where in a cluster's folder. */
import path from "node:path";

export interface Folders {
  readonly dir: string;
  readonly pki: string;
  /** One file for each daemon. */
  readonly logs: string;
  /** The administrator's, for the machine itself. */
  readonly kubeconfig: string;
}

/** Paths below the cluster's folder `dir`. */
export function foldersOf(dir: string): Folders {
  return { dir, pki: path.join(dir, "pki"), logs: path.join(dir, "logs"), kubeconfig: path.join(dir, "kubeconfig.json") };
}
