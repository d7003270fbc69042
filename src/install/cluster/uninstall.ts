/** Takes an installation away: first every node lets its pods go, then everything that was made is deleted. */
import type { Clock } from "../../lib/clock.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { list, record } from "../../providers/kubernetes/readers.ts";
import { nodeContainer, onExitVariable } from "../node.ts";
import { type InstallObject, inSystem, nameOf, nodeName, systemNamespace } from "../objects.ts";
import type { PodState } from "../read-state.ts";
import { problemOfApi } from "./api-problem.ts";
import { placeOf } from "./apply.ts";
import { findGateways, findOwn } from "./plan.ts";
import { podsOf } from "./pods.ts";

export interface UninstallOptions {
  readonly clock: Clock;
  /** For the nodes to let go, and again for everything to be gone. */
  readonly timeoutMs: number;
  /** Also wait until the namespace is gone. */
  readonly wait: boolean;
  /** Go on when a node cannot let go. */
  readonly force: boolean;
  readonly say: (line: string) => void;
}

const pollMs = 300;
const daemonSet = { kind: { group: "apps", version: "v1", resource: "daemonsets" }, namespace: systemNamespace, name: nodeName };
/** Marks pods that will let go at their end. */
const mark = { "weir.dev/on-exit": "release" } as const;

/** Everything of an installation that is there now. What runs for Gateways is the first, for it is made last, by the control plane: it must be gone before. */
export async function findInstallation(client: KubeClient): Promise<Result<readonly InstallObject[]>> {
  const [own, gateways] = await Promise.all([findOwn(client), findGateways(client)]);
  if (!own.ok) return own;
  return gateways.ok ? ok([...gateways.value, ...own.value]) : gateways;
}

/** Removes `objects`. Problems: `uninstall-not-released`, `uninstall-not-gone`, and what the API server refuses. */
export async function uninstall(client: KubeClient, objects: readonly InstallObject[], options: UninstallOptions): Promise<Result<void>> {
  if (objects.some(({ kind, metadata }) => kind === "DaemonSet" && metadata.name === nodeName)) {
    const released = await releaseNodes(client, options);
    if (!released.ok && !options.force) return released;
    if (!released.ok) for (const { message } of released.problems) options.say(`not released: ${message}`);
  }
  for (const object of objects.toReversed()) {
    const gone = await client.delete(placeOf(object));
    if (!gone.ok && gone.error.kind !== "notFound") return failed(problemOfApi(gone.error, `deleting ${nameOf(object)}`));
    options.say(`deleted ${nameOf(object)}`);
  }
  const last = objects.filter(({ kind }) => kind === "Namespace" || kind === "CustomResourceDefinition");
  return options.wait ? waitUntilGone(client, last, options) : ok(undefined);
}

/**
 * Replaces every agent by one that lets its pods go at its end, then ends them all. The agent that comes finds what the one before left in pods;
 * so even a node whose agent was dead is cleaned. Nothing is deleted before all nodes are there.
 */
async function releaseNodes(client: KubeClient, options: UninstallOptions): Promise<Result<void>> {
  const live = await client.get(daemonSet);
  if (!live.ok) return live.error.kind === "notFound" ? ok(undefined) : failed(problemOfApi(live.error, "reading daemonset weir-node"));
  const manifest = releasing(live.value);
  const changed = await client.apply(daemonSet, manifest, { force: true });
  if (!changed.ok) return failed(problemOfApi(changed.error, "telling daemonset weir-node to release pods"));
  options.say("every node lets its pods go");
  const nodes = await settled(
    client,
    options,
    (pods) => pods.every((pod) => isReleasing(pod) && pod.ready && !pod.ending),
    "has not started an agent that lets go",
  );
  if (!nodes.ok) return nodes;
  const released = await endAgents(client, options);
  // Back again: the next uninstallation must find that there is something to release.
  if (!released.ok && !options.force) await client.apply(daemonSet, manifest, { force: true });
  return released;
}

async function endAgents(client: KubeClient, options: UninstallOptions): Promise<Result<void>> {
  const deleted = await client.delete(daemonSet);
  if (!deleted.ok && deleted.error.kind !== "notFound") return failed(problemOfApi(deleted.error, "deleting daemonset weir-node"));
  const ended = await settled(client, options, (pods) => pods.length === 0, "has not let go");
  if (!ended.ok) return ended;
  const killed = ended.value.filter((pod) => isReleasing(pod) && (pod.exitCode ?? 0) !== 0);
  return killed.length === 0 ? ok(undefined) : failed(...killed.map((pod) => notReleased(pod, `its agent ended with ${pod.exitCode}`)));
}

function isReleasing({ labels }: PodState): boolean {
  return Object.entries(mark).every(([key, value]) => labels[key] === value);
}

/** The DaemonSet as it is, with agents that let go, on all nodes at once; each is there before the one it replaces ends. */
function releasing(live: unknown): object {
  const spec = record(record(live)["spec"]);
  const template = record(spec["template"]);
  const pod = record(template["spec"]);
  const containers = list(pod["containers"]).map((value) => {
    const container = record(value);
    if (container["name"] !== nodeContainer) return container;
    const others = list(container["env"]).filter((variable) => record(variable)["name"] !== onExitVariable);
    return { ...container, env: [...others, { name: onExitVariable, value: "release" }] };
  });
  const metadata = { labels: { ...record(record(template["metadata"])["labels"]), ...mark } };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: inSystem(nodeName),
    spec: {
      ...spec,
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: 0 } },
      template: { metadata, spec: { ...pod, containers } },
    },
  };
}

/** Waits until `holds` for the agents' pods. Answers the last that was seen of each. */
async function settled(
  client: KubeClient,
  { clock, timeoutMs }: UninstallOptions,
  holds: (pods: readonly PodState[]) => boolean,
  failing: string,
): Promise<Result<readonly PodState[]>> {
  const until = clock.now() + timeoutMs;
  const seen = new Map<string, PodState>();
  for (;;) {
    const pods = await podsOf(client, nodeName);
    if (pods.ok) {
      for (const pod of pods.value) seen.set(pod.name, pod);
      if (holds(pods.value) && (await isObserved(client))) return ok([...seen.values()]);
    }
    if (clock.now() >= until) {
      if (!pods.ok) return pods;
      return failed(...pods.value.filter((pod) => !holds([pod])).map((pod) => notReleased(pod, `${failing}: ${pod.reason}`)));
    }
    await clock.sleep(pollMs);
  }
}

/** Whether the DaemonSet's controller has looked at the newest template, and every node has its pod; also when it is gone. */
async function isObserved(client: KubeClient): Promise<boolean> {
  const live = await client.get(daemonSet);
  if (!live.ok) return live.error.kind === "notFound";
  const { metadata, status } = record(live.value);
  const now = record(status);
  const isSeen = Number(now["observedGeneration"] ?? 0) >= Number(record(metadata)["generation"] ?? 0);
  return isSeen && Number(now["updatedNumberScheduled"] ?? 0) === Number(now["desiredNumberScheduled"] ?? 0);
}

function notReleased({ name, node }: PodState, why: string): Problem {
  const hint = "mend the node, or delete it from the cluster, and uninstall again; `--force` leaves its pods' rules where they are";
  return { code: "uninstall-not-released", message: `node ${node} (pod ${name}): ${why}`, hint };
}

/** Waits for what the API server empties before it is gone. */
async function waitUntilGone(client: KubeClient, objects: readonly InstallObject[], { clock, timeoutMs }: UninstallOptions): Promise<Result<void>> {
  const until = clock.now() + timeoutMs;
  for (const object of objects) {
    for (;;) {
      const live = await client.get(placeOf(object));
      if (!live.ok && live.error.kind === "notFound") break;
      if (clock.now() >= until) return failed(notGone(object, timeoutMs));
      await clock.sleep(pollMs);
    }
  }
  return ok(undefined);
}

function notGone(object: InstallObject, timeoutMs: number): Problem {
  const hint = `kubectl describe ${object.kind.toLowerCase()} ${object.metadata.name}`;
  return { code: "uninstall-not-gone", message: `${nameOf(object)} is still there after ${Math.round(timeoutMs / 1_000)} s`, hint };
}
