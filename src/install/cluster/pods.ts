/** Weir's own pods on the cluster. */
import type { Clock } from "../../lib/clock.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { controlName, nodeName, podLabels, systemNamespace } from "../objects.ts";
import { type ComponentState, type PodState, readComponent, readPodState } from "../read-state.ts";
import { problemOfApi } from "./api-problem.ts";

/** What there is to wait for. */
export interface Progress {
  readonly components: readonly ComponentState[];
  readonly pods: readonly PodState[];
}

const pollMs = 500;
const shownLines = 6;
const apps = (resource: string) => ({ group: "apps", version: "v1", resource });

/** The pods of a component. */
export async function podsOf(client: KubeClient, component: string): Promise<Result<readonly PodState[]>> {
  const labels = Object.entries(podLabels(component)).map(([key, value]) => `${key}=${value}`);
  const page = await client.list({ group: "", version: "v1", resource: "pods" }, { namespace: systemNamespace, labels: labels.join(",") });
  return page.ok ? ok(page.value.items.map(readPodState)) : failed(problemOfApi(page.error, "listing pods"));
}

async function progressOf(client: KubeClient): Promise<Result<Progress>> {
  const [control, node, controlPods, nodePods] = await Promise.all([
    client.get({ kind: apps("deployments"), namespace: systemNamespace, name: controlName }),
    client.get({ kind: apps("daemonsets"), namespace: systemNamespace, name: nodeName }),
    podsOf(client, controlName),
    podsOf(client, nodeName),
  ]);
  for (const read of [control, node]) if (!read.ok) return failed(problemOfApi(read.error, "waiting"));
  for (const pods of [controlPods, nodePods]) if (!pods.ok) return failed(...pods.problems);
  const components = [control, node].flatMap((read) => (read.ok ? [readComponent(read.value)] : []));
  return ok({ components, pods: [controlPods, nodePods].flatMap((pods) => (pods.ok ? pods.value : [])) });
}

/**
 * Waits until all pods are ready on every node; `seen` hears how far it is. A cluster that does not answer is asked again.
 * Problems when the time is over: `install-not-ready` for each pod that is not, with its last words.
 */
export async function waitUntilReady(
  client: KubeClient,
  { clock, timeoutMs, seen }: { readonly clock: Clock; readonly timeoutMs: number; readonly seen: (progress: Progress) => void },
): Promise<Result<void>> {
  const until = clock.now() + timeoutMs;
  for (;;) {
    const progress = await progressOf(client);
    if (progress.ok) {
      seen(progress.value);
      if (progress.value.components.every(({ done }) => done)) return ok(undefined);
    }
    if (clock.now() >= until) return progress.ok ? describe(client, progress.value, timeoutMs) : progress;
    await clock.sleep(pollMs);
  }
}

async function describe(client: KubeClient, { components, pods }: Progress, timeoutMs: number): Promise<Result<void>> {
  const late = pods.filter(({ ready, ending }) => !ready && !ending);
  const code = "install-not-ready";
  const after = `after ${Math.round(timeoutMs / 1_000)} s`;
  if (late.length === 0) {
    const open = components.filter(({ done }) => !done).map(({ name, ready, wanted }) => `${name}: ${ready} of ${wanted} pods are ready`);
    return failed({ code, message: `${open.join(", ")} ${after}`, hint: `kubectl get events -n ${systemNamespace}` });
  }
  const problems = late.slice(0, 5).map(async (pod) => {
    const lines = (await lastWords(client, pod)).map((line) => `\n    ${line}`).join("");
    const where = pod.node === "" ? "" : ` on ${pod.node}`;
    const message = `pod ${pod.name}${where} is not ready ${after}: ${pod.reason}${lines === "" ? "" : `\n  its last lines:${lines}`}`;
    return { code, message, hint: `kubectl describe pod -n ${systemNamespace} ${pod.name}` };
  });
  return failed(...(await Promise.all(problems)));
}

/** The last lines of a pod's log, of the container before if this one has said nothing. */
async function lastWords(client: KubeClient, { name, restarts }: PodState): Promise<readonly string[]> {
  for (const previous of restarts > 0 ? [false, true] : [false]) {
    const read = await client.readText(`/api/v1/namespaces/${systemNamespace}/pods/${encodeURIComponent(name)}/log`, { tailLines: shownLines, previous });
    const lines = read.ok ? read.value.split("\n").filter((line) => line !== "") : [];
    if (lines.length > 0) return lines.map((line) => line.slice(0, 200));
  }
  return [];
}
