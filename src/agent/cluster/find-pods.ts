/** Finds the network namespaces of pods in the node's /proc (hostPID), by the cgroups that the kubelet gives their processes. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { parseStat } from "../../dataplane/proc.ts";

/** A process of a pod. */
export interface PodProcess {
  readonly pid: number;
  /** Of its network namespace. */
  readonly inode: number;
}

export interface FoundPods {
  readonly byUid: ReadonlyMap<string, PodProcess>;
  /** Pods that share the node's own network (`hostNetwork`); they cannot be captured. */
  readonly onNodeNetwork: ReadonlySet<string>;
}

const uidPattern = "[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32}";
/** `/kubepods/burstable/podUID/…` (cgroupfs), `…/kubepods-burstable-podU_I_D.slice/…` (systemd; kind and others put more in front). */
const podFolder = new RegExp(`^\\d+:[^:]*:(?:.*/)?(?:[^/]*-)?pod(${uidPattern})(?:\\.slice)?([/:].*)?$`, "m");

/**
 * Reads `/proc/PID/cgroup` (version 1, 2 or both). Answers the pod's UID with dashes, as the API server writes it, and how many cgroups the process is
 * below the pod's; undefined for a process of no pod.
 */
export function podOfCgroup(text: string): { readonly uid: string; readonly depth: number } | undefined {
  const match = podFolder.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { uid: match[1].replaceAll("_", "-"), depth: (match[2] ?? "").split("/").filter((part) => part !== "").length };
}

/** Reads the link of `/proc/PID/ns/net`: `net:[4026531840]`. */
export function inodeOfLink(link: string): number | undefined {
  const digits = /^net:\[(\d+)\]$/.exec(link)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

interface Candidate extends PodProcess {
  readonly depth: number;
}

/**
 * Looks once through all processes; 1000 of them take some 15 ms, so nothing is remembered between looks.
 * Containers that a pod itself started (Docker in a pod) are in its cgroup too, in namespaces of their own: the process highest in the pod's cgroup
 * counts, and of those the oldest.
 * @param uids the pods that are looked for
 * @param proc the node's /proc
 */
export function findPods(uids: ReadonlySet<string>, proc = "/proc"): FoundPods {
  const own = readNamespace(proc, "1") ?? readNamespace(proc, "self");
  const candidates = new Map<string, Candidate[]>();
  const onNodeNetwork = new Set<string>();
  for (const name of readdirSync(proc)) {
    if (name < "1" || name > "99999999") continue;
    const text = readOptional(path.join(proc, name, "cgroup"));
    const pod = text?.includes("pod") === true ? podOfCgroup(text) : undefined;
    if (pod === undefined || !uids.has(pod.uid)) continue;
    const inode = readNamespace(proc, name);
    if (inode === undefined) continue;
    if (inode === own) onNodeNetwork.add(pod.uid);
    else candidates.set(pod.uid, [...(candidates.get(pod.uid) ?? []), { pid: Number(name), inode, depth: pod.depth }]);
  }
  const byUid = new Map([...candidates].map(([uid, found]) => [uid, best(found, proc)]));
  return { byUid, onNodeNetwork: new Set([...onNodeNetwork].filter((uid) => !byUid.has(uid))) };
}

function best(candidates: readonly Candidate[], proc: string): PodProcess {
  const depth = Math.min(...candidates.map((one) => one.depth));
  const highest = candidates.filter((one) => one.depth === depth);
  const started = (one: Candidate): number => Number(parseStat(readOptional(path.join(proc, String(one.pid), "stat")) ?? "")?.startTime ?? Number.MAX_VALUE);
  const [first] = highest.map((one) => ({ one, at: started(one) })).sort((a, b) => a.at - b.at || a.one.pid - b.one.pid);
  // There is always one: the list was not empty.
  return { pid: first?.one.pid ?? 0, inode: first?.one.inode ?? 0 };
}

function readNamespace(proc: string, pid: string): number | undefined {
  try {
    return inodeOfLink(readlinkSync(path.join(proc, pid, "ns/net")));
  } catch {
    return undefined;
  }
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}
