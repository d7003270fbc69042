/** How far Weir's components are, out of what the API server says of them. */

export interface PodState {
  readonly name: string;
  readonly node: string;
  readonly ready: boolean;
  readonly ending: boolean;
  readonly restarts: number;
  /** Why it is not ready, in the cluster's words. */
  readonly reason: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Exit code of a container that ended and is not started again. */
  readonly exitCode?: number;
}

export interface ComponentState {
  readonly name: string;
  readonly ready: number;
  readonly wanted: number;
  /** All pods are of the newest template, and ready for long enough. */
  readonly done: boolean;
}

/** Reads a Deployment or DaemonSet. */
export function readComponent(value: unknown): ComponentState {
  const { metadata, spec, status } = fields(value);
  const [meta, want, now] = [fields(metadata), fields(spec), fields(status)];
  const isDaemonSet = "updateStrategy" in want;
  const count = (key: string): number => (typeof now[key] === "number" ? now[key] : 0);
  const wanted = isDaemonSet ? count("desiredNumberScheduled") : typeof want["replicas"] === "number" ? want["replicas"] : 1;
  const ready = isDaemonSet ? count("numberReady") : count("readyReplicas");
  const updated = isDaemonSet ? count("updatedNumberScheduled") : count("updatedReplicas");
  const available = isDaemonSet ? count("numberAvailable") : count("availableReplicas");
  const isSeen = count("observedGeneration") >= (typeof meta["generation"] === "number" ? meta["generation"] : 0);
  // Before its controller looked, a DaemonSet wants nothing.
  const done = isSeen && updated === wanted && available === wanted && (!isDaemonSet || wanted > 0);
  return { name: string(meta["name"]), ready, wanted, done };
}

/** Reads a pod. */
export function readPodState(value: unknown): PodState {
  const { metadata, spec, status } = fields(value);
  const meta = fields(metadata);
  const now = fields(status);
  const containers = items(now["containerStatuses"]).map(fields);
  const [container = {}] = containers;
  const ended = fields(fields(container["state"])["terminated"]);
  return {
    name: string(meta["name"]),
    node: string(fields(spec)["nodeName"]),
    ready: containers.length > 0 && containers.every((one) => one["ready"] === true),
    ending: meta["deletionTimestamp"] !== undefined,
    restarts: typeof container["restartCount"] === "number" ? container["restartCount"] : 0,
    reason: reasonOf(now, container),
    labels: texts(meta["labels"]),
    annotations: texts(meta["annotations"]),
    ...(typeof ended["exitCode"] === "number" ? { exitCode: ended["exitCode"] } : {}),
  };
}

function reasonOf(status: Fields, container: Fields): string {
  const state = fields(container["state"]);
  const [waiting, ended, last] = [fields(state["waiting"]), fields(state["terminated"]), fields(fields(container["lastState"])["terminated"])];
  if (typeof ended["exitCode"] === "number") return `ended with ${ended["exitCode"]} (${string(ended["reason"])})`;
  const crashed = typeof last["exitCode"] === "number" ? `; it ended with ${last["exitCode"]} before` : "";
  if (string(waiting["reason"]) !== "")
    return `${string(waiting["reason"])}${string(waiting["message"]) === "" ? "" : `: ${string(waiting["message"])}`}${crashed}`;
  const condition = items(status["conditions"])
    .map(fields)
    .find((one) => one["status"] === "False" && string(one["message"]) !== "");
  return condition === undefined ? string(status["phase"]) || "unknown" : `${string(condition["message"])}${crashed}`;
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
