/** The cluster's own kubectl. */
import { run } from "./run.ts";

/** Runs `kubectl ARGS`; answers its stdout, throws with its words when it fails. */
export async function kubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  return run(["kubectl", ...args], { env: { KUBECONFIG: kubeconfig }, ...(input === undefined ? {} : { input }) });
}

/** Creates or changes objects. Server-side, so that nothing is read first. */
export async function apply(kubeconfig: string, objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await kubectl(kubeconfig, ["apply", "--server-side", "--force-conflicts", "-f", "-"], list);
}
