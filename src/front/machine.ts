/** A cluster as the machine that the API talks to. */
import type { Machine } from "../api/context.ts";
import type { Clock } from "../lib/clock.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import type { RunningPod } from "../providers/kubernetes/translate-running.ts";
import { followPodLogs, readPodLogs } from "./logs.ts";
import { readMeshReports } from "./mesh-reports.ts";
import { notesOf } from "./notes.ts";
import { claimsOf, deleteClaims } from "./volumes.ts";

interface ClusterMachineOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** The pod of a workload's id, as it is now. */
  readonly pod: (id: string) => RunningPod | undefined;
  /** Those that we may see; absent: all. */
  readonly namespaces?: readonly string[];
}

/** Logs, commands in pods and events of the cluster. Nodes' agents and proxies are DaemonSets: they are the cluster's own to replace and to end. */
export function createClusterMachine({ client, clock, pod, namespaces }: ClusterMachineOptions): Machine {
  const logs = { client, clock, pod };
  return {
    readLogs: (query) => readPodLogs(logs, query),
    followLogs: (query, signal) => followPodLogs(logs, query, signal),
    exec: async (workload) => {
      const found = pod(workload);
      if (found === undefined) return undefined;
      const { namespace, pod: name, container, stdin, tty } = found;
      return { kind: "pod", namespace, pod: name, container, stdin, tty };
    },
    meshReports: (namespace) => readMeshReports(client, namespace === undefined ? namespaces : [namespace]),
    keptVolumes: (queries) => claimsOf(client, queries),
    deleteVolumes: (volumes) => deleteClaims(client, volumes),
    notes: (key) => notesOf(client, key),
    replaceProxies: () => Promise.reject(new Error("on a cluster, nodes' proxies are replaced with their DaemonSet")),
    proxies: async () => [],
    agent: async () => ({ state: "running" }),
    stop: () => Promise.reject(new Error("on a cluster, `weir uninstall` ends Weir")),
  };
}
