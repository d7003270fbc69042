/**
 * Captures pods of the mesh before their first container starts: the runtime asks us (NRI) when a sandbox has its network. The rules go in at once, so
 * until Envoy listens connections are refused, and none passes uncaptured. Without NRI pods join when the control plane has seen them.
 */

import { isIPv4 } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import { meshLabel } from "../../model/mesh-pod.ts";
import type { Sandbox } from "./nri/messages.ts";
import { runNriPlugin } from "./nri/plugin.ts";
import { isPodUid } from "./parse-order.ts";
import type { GuardedPod, PodKeeper } from "./pod-keeper.ts";

export interface GuardOptions {
  /** NRI's socket. */
  readonly socket: string;
  readonly keeper: Pick<PodKeeper, "capture" | "forgetGuarded" | "isListening" | "meshNamespaces" | "setGuard">;
  /** The IPv4 address inside a namespace, for runtimes that do not tell it. */
  readonly addressOf: (source: string) => Promise<string | undefined>;
  /** Whether there is the certificate that a pod calls others with: Envoy fails a first connection that comes before it. */
  readonly hasCertificate: (uid: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of the time the runtime gives us; then the pod starts, refused connections or not. */
const share = 0.75;
const firstWaitMs = 500;
const longestWaitMs = 30_000;

/** Keeps the guard up until `signal` aborts; never throws. Says in the report whether it is. */
export async function runGuard(options: GuardOptions, signal: AbortSignal): Promise<void> {
  const { socket, keeper, clock, log } = options;
  let waitMs = firstWaitMs;
  const onActive = (): void => {
    waitMs = firstWaitMs;
    keeper.setGuard({ state: "active" });
    log.info("guard: the runtime asks before pods start");
  };
  while (!signal.aborted) {
    const reason = await runNriPlugin(
      {
        socket,
        name: "weir",
        index: "10",
        onActive,
        onRun: (sandbox, withinMs) => captureAtStart(options, sandbox, withinMs),
        onStop: ({ uid }) => keeper.forgetGuarded(uid),
      },
      signal,
    ).then(() => "the runtime closed the connection", messageOf);
    if (signal.aborted) return;
    keeper.setGuard({ state: "absent", reason: `NRI: ${reason}` });
    await clock.sleep(waitMs, signal);
    waitMs = Math.min(longestWaitMs, waitMs * 2);
  }
}

/** Whether a pod is in the mesh, as far as can be known before the control plane speaks. A pod on the node's network never is. */
export function isInMesh({ labels, namespace, networkNamespace, pid }: Sandbox, meshNamespaces: readonly string[]): boolean {
  if (networkNamespace === undefined && pid === undefined) return false;
  const own = labels[meshLabel];
  return own === undefined ? meshNamespaces.includes(namespace) : own === "on";
}

async function captureAtStart({ keeper, addressOf, hasCertificate, clock, log }: GuardOptions, sandbox: Sandbox, withinMs: number): Promise<void> {
  const { uid, namespace, name } = sandbox;
  if (!isPodUid(uid) || !isInMesh(sandbox, keeper.meshNamespaces)) return;
  const until = clock.now() + withinMs * share;
  const left = (): AbortSignal => AbortSignal.timeout(Math.max(1, until - clock.now()));
  const sources = sourcesOf(sandbox);
  const address = sandbox.addresses.find((one) => isIPv4(one)) ?? (await firstAddress(sources, addressOf));
  if (address === undefined) throw new Error("the pod has no IPv4 address that could be captured");
  const report = await keeper.capture({ uid, namespace, name, address, sources } satisfies GuardedPod, left());
  if (report?.phase !== "captured") throw new Error(`the pod cannot be captured: ${report?.reason ?? "not in time"}`);
  const canCall = async (): Promise<boolean> => hasCertificate(uid) && (await keeper.isListening(uid));
  let isReady = await canCall();
  while (!isReady && clock.now() < until) {
    await clock.sleep(50);
    isReady = await canCall();
  }
  log.info("guard: captured a pod at its start", { namespace, name, uid, isReady });
}

/** Ways to the namespace of a sandbox: the runtime's path is one of the node's mount namespace. */
function sourcesOf({ networkNamespace, pid }: Sandbox): readonly string[] {
  const paths = networkNamespace === undefined ? [] : [`/proc/1/root${networkNamespace}`, networkNamespace];
  return [...(pid === undefined ? [] : [`/proc/${pid}/ns/net`]), ...paths];
}

async function firstAddress(sources: readonly string[], addressOf: GuardOptions["addressOf"]): Promise<string | undefined> {
  for (const source of sources) {
    const address = await addressOf(source);
    if (address !== undefined) return address;
  }
  return undefined;
}
