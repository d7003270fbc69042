/** Connections into pods, for whoever shows them. */
import { failed, ok, type Result } from "../lib/problem.ts";
import { clusterAccess, type KubeconfigOptions } from "../providers/kubernetes/kubeconfig.ts";
import { type Channels, type ChannelTarget, openChannels } from "../providers/kubernetes/pod-channels.ts";

export { type Channels, type ChannelTarget, channel, type Ended, readEnded } from "../providers/kubernetes/pod-channels.ts";

export interface Pods {
  /** Connects to one. Problem: `pod-unreachable`. */
  open(target: ChannelTarget, received: (channel: number, data: Buffer) => void): Promise<Result<Channels>>;
  /** Ends what all connections need. */
  close(): void;
}

/** The pods of the cluster that is meant. Problems: those of kubeconfigs. */
export async function connectPods(cluster: KubeconfigOptions): Promise<Result<Pods>> {
  const access = await clusterAccess(cluster);
  if (!access.ok) return access;
  const open = async (target: ChannelTarget, received: (channel: number, data: Buffer) => void): Promise<Result<Channels>> => {
    try {
      return ok(await openChannels(access.value, target, received));
    } catch (error) {
      const message = `${target.what} in pod ${target.namespace}/${target.pod}: ${(error as Error).message}`;
      return failed({ code: "pod-unreachable", message, hint: "`weir ps` shows what runs; the role `edit` allows it" });
    }
  };
  return ok({ open, close: () => access.value.close() });
}
