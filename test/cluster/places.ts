/** Where things are: in the checkout's cache, in a cluster's folder, and on the cluster's network. */
import path from "node:path";

/** The checkout. */
export const root = path.resolve(import.meta.dirname, "../..");

/** What scripts/setup.mjs brings. */
export const toolsDir = path.join(root, ".cache/tools");
const cache = path.join(root, ".cache/cluster");
/** What build.ts makes: programs, CNI plugins below `cni`, those of images below `images`. */
export const binDir = path.join(cache, "bin");
export const stampsDir = path.join(cache, "stamps");
export const imagesDir = path.join(cache, "images");

/** Ours first: the machine may have others by the same names. */
export const searchPath = [binDir, path.join(toolsDir, "bin"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":");

/** Addresses of a cluster. They exist in its own network namespaces only, so every cluster has the same. */
export const network = {
  control: "100.96.0.1",
  nodePrefix: 24,
  pods: "100.97.0.0/16",
  services: "100.98.0.0/16",
  apiService: "100.98.0.1",
  dnsService: "100.98.0.10",
  apiPort: 6443,
} as const;

/** The address of node `number` (1, 2, …). */
export function nodeAddress(number: number): string {
  return `100.96.0.${10 + number}`;
}

/** The addresses of the pods of node `number`. */
export function podRange(number: number): string {
  return `100.97.${number}.0/24`;
}
