/** Pods of declared versions → workloads, with what is wrong with one in one line. */
import { type AppName, type Namespace, type VersionName, versionKey } from "../../model/names.ts";
import type { Service } from "../../model/types.ts";
import type { Workload, WorkloadPhase } from "../../model/workload.ts";
import { list, number, optional, type Raw, record, text, textMap } from "./readers.ts";
import { runLabel } from "./translate-jobs.ts";
import { adoptedHash, appLabel, hashLabel, jobLabel, versionLabel } from "./workload-objects.ts";

/** A pod that Weir had made, as a workload, and what is needed to talk to it. */
export interface RunningPod extends Workload {
  /** Its name, unique in its namespace; `id` is unique on the cluster. */
  readonly pod: string;
  /** The container that the version is. */
  readonly container: string;
  /** Whether that container reads what somebody types, and has a terminal. */
  readonly stdin: boolean;
  readonly tty: boolean;
  /** It was deleted and is on its way out. */
  readonly ending: boolean;
  /** Empty: not scheduled yet. */
  readonly node: string;
  readonly serviceAccount: string;
  /** Of a job: the run that it is of. */
  readonly run?: string;
}

/** Reasons that waiting does not mend, in the kubelet's words. */
const hopelessReasons: ReadonlySet<string> = new Set(["ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"]);

/** Whose pod it is. */
interface Belonging {
  readonly app: AppName;
  readonly version: VersionName;
  readonly hash: string;
}

/** In place of a version: pods of jobs have none. */
const jobVersion = "job" as VersionName;

/** Reads a pod; undefined: it is of no declared version, and of no job. */
export function readRunningPod(value: unknown): RunningPod | undefined {
  const labels = textMap(record(record(value)["metadata"])["labels"]);
  const [job, run] = [labels[jobLabel], labels[runLabel]];
  if (job !== undefined && run !== undefined) {
    const pod = readPodOf(value, { app: job as AppName, version: jobVersion, hash: labels[hashLabel] ?? "" });
    return pod === undefined ? undefined : { ...pod, run };
  }
  const [app, version] = [labels[appLabel], labels[versionLabel]];
  if (app === undefined || version === undefined) return undefined;
  return readPodOf(value, { app: app as AppName, version: version as VersionName, hash: labels[hashLabel] ?? "" });
}

/** The reader of the pods that a version adopted. */
export function adoptedPodReader({ app, version }: Pick<Service, "app" | "version">): (raw: unknown) => RunningPod | undefined {
  return (raw) => readPodOf(raw, { app, version, hash: adoptedHash });
}

function readPodOf(value: unknown, { app, version, hash }: Belonging): RunningPod | undefined {
  const raw = record(value);
  const [meta, spec, status] = [record(raw["metadata"]), record(raw["spec"]), record(raw["status"])];
  const [namespace, pod] = [text(meta["namespace"]), text(meta["name"])];
  if (namespace === undefined || pod === undefined) return undefined;
  const container = mainContainer(status);
  const name = text(container["name"]) ?? text(record(list(spec["containers"])[0])["name"]) ?? "";
  const said =
    list(spec["containers"])
      .map(record)
      .find((one) => one["name"] === name) ?? {};
  const ending = meta["deletionTimestamp"] !== undefined;
  const state = stateOf(status, container, ending);
  const startedAt = timeOf(record(record(container["state"])["running"])["startedAt"]);
  const address = text(status["podIP"]);
  return {
    id: pod,
    pod,
    container: name,
    stdin: said["stdin"] === true,
    tty: said["tty"] === true,
    ending,
    key: versionKey(namespace as Namespace, app, version),
    namespace: namespace as Namespace,
    app,
    version,
    hash,
    ...state,
    since: sinceOf(meta, status, container),
    restarts: number(container["restartCount"]) ?? 0,
    ...optional("startedAt", startedAt),
    ...optional("network", address === undefined ? undefined : { address, captureAddress: "", capturePort: 0, networkNamespace: "" }),
    ...optional("lastExit", exitText(record(record(container["lastState"])["terminated"]))),
    node: text(spec["nodeName"]) ?? "",
    serviceAccount: text(spec["serviceAccountName"]) ?? "default",
  };
}

/** The container of ours comes first; what others injected comes after it. */
function mainContainer(status: Raw): Raw {
  const containers = list(status["containerStatuses"]).map(record);
  return containers.find(({ name }) => name === "main") ?? containers[0] ?? {};
}

type State = Pick<Workload, "phase" | "reason" | "cannotStart">;

function stateOf(status: Raw, container: Raw, ending: boolean): State {
  if (ending) return { phase: "draining" };
  const phase = text(status["phase"]);
  if (phase === "Succeeded" || phase === "Failed") return { phase: "exited", ...optional("reason", text(status["message"]) ?? text(status["reason"])) };
  const state = record(container["state"]);
  const waiting = text(record(state["waiting"])["reason"]);
  if (waiting !== undefined) return waitingState(waiting, record(state["waiting"]), container);
  if (state["terminated"] !== undefined) return { phase: "backoff", ...optional("reason", exitText(record(state["terminated"]))) };
  if (state["running"] === undefined) return { phase: "pending", ...optional("reason", conditionMessage(status, "PodScheduled")) };
  return runningState(status, record(state["running"]));
}

function waitingState(reason: string, waiting: Raw, container: Raw): State {
  const said = text(waiting["message"]);
  if (reason === "CrashLoopBackOff") return { phase: "backoff", ...optional("reason", exitText(record(record(container["lastState"])["terminated"]))) };
  if (reason === "ContainerCreating" || reason === "PodInitializing") return { phase: "pending", ...optional("reason", said) };
  const words = said === undefined ? reason : `${reason}: ${oneLine(said)}`;
  return { phase: "pending", reason: words, ...(hopelessReasons.has(reason) ? { cannotStart: true } : {}) };
}

function runningState(status: Raw, running: Raw): State {
  const ready = conditionOf(status, "Ready");
  if (ready["status"] === "True") return { phase: "ready" };
  const changedAt = timeOf(ready["lastTransitionTime"]) ?? 0;
  const startedAt = timeOf(running["startedAt"]) ?? 0;
  // It became unready after this start, so it was ready once.
  const phase: WorkloadPhase = changedAt > startedAt ? "unready" : "starting";
  return { phase, reason: phase === "unready" ? "its ready check fails" : "its ready check has not passed yet" };
}

/** `exited with code 1`, `was killed: out of memory`. */
function exitText(terminated: Raw): string | undefined {
  const code = number(terminated["exitCode"]);
  if (code === undefined) return undefined;
  const reason = text(terminated["reason"]);
  if (reason === "OOMKilled") return "was killed: it used more memory than it may";
  const said = text(terminated["message"]);
  if (reason !== undefined && reason !== "Error" && reason !== "Completed")
    return `exited with code ${code}: ${reason}${said === undefined ? "" : `: ${oneLine(said)}`}`;
  return `exited with code ${code}`;
}

function conditionOf(status: Raw, type: string): Raw {
  return (
    list(status["conditions"])
      .map(record)
      .find((condition) => condition["type"] === type) ?? {}
  );
}

function conditionMessage(status: Raw, type: string): string | undefined {
  const condition = conditionOf(status, type);
  return condition["status"] === "False" ? text(condition["message"]) : undefined;
}

/** When its phase began, as far as the cluster says. */
function sinceOf(meta: Raw, status: Raw, container: Raw): number {
  const state = record(container["state"]);
  const times = [
    timeOf(meta["deletionTimestamp"]),
    timeOf(record(state["terminated"])["finishedAt"]),
    conditionOf(status, "Ready")["status"] === "True" ? timeOf(conditionOf(status, "Ready")["lastTransitionTime"]) : undefined,
    timeOf(record(state["running"])["startedAt"]),
    timeOf(meta["creationTimestamp"]),
  ];
  return times.find((time) => time !== undefined) ?? 0;
}

function timeOf(value: unknown): number | undefined {
  const time = Date.parse(text(value) ?? "");
  return Number.isNaN(time) ? undefined : time;
}

function oneLine(words: string): string {
  return words.replaceAll(/\s+/g, " ").trim().slice(0, 500);
}

/** Pods by an id that is unique on the cluster: the pod's name or, where two namespaces have a pod of one name, with its namespace. */
export function runningPods(pods: Iterable<RunningPod | undefined>): ReadonlyMap<string, RunningPod> {
  const all = [...pods].filter((pod) => pod !== undefined);
  const names = Map.groupBy(all, ({ pod }) => pod);
  return new Map(
    all.map((one) => {
      const id = (names.get(one.pod)?.length ?? 1) > 1 ? `${one.pod}.${one.namespace}` : one.pod;
      return [id, id === one.id ? one : { ...one, id }];
    }),
  );
}
