/** Between our words and the node agent's. */
import {
  type AgentStatus,
  volumeFolder,
  type WorkloadExit,
  type WorkloadFile,
  type WorkloadHealth,
  type WorkloadPort,
  type WorkloadSpec,
  type WorkloadStatus,
} from "../../agent/contract.ts";
import type { JobTemplate, Template } from "../../model/declared.ts";
import { type AppName, type Namespace, type VersionName, versionKey } from "../../model/names.ts";
import type { Config, EnvValue, Job, Mount, Service } from "../../model/types.ts";
import type { Workload } from "../../model/workload.ts";
import type { PlatformState, ReplicaOrder, RunOrder } from "../provider.ts";

/** A replica as the agent starts it. Contents of configs and secrets are in it: it goes to the agent and nowhere else. */
export function workloadSpec({ id, index, template, state }: ReplicaOrder): WorkloadSpec {
  const { service } = template;
  const { namespace, app, version, volumes = [] } = service;
  const who = { namespace, app, version, replica: index };
  return {
    id,
    ...who,
    command: service.command,
    dir: service.dir,
    // Who it is comes first: a service's own variables win.
    env: {
      WEIR_NAMESPACE: service.namespace,
      WEIR_APP: service.app,
      WEIR_VERSION: service.version,
      WEIR_REPLICA: String(index),
      ...resolveEnv(service, template),
    },
    files: service.mounts.flatMap((mount) => mountFiles(mount, template)),
    ...(volumes.length === 0 ? {} : { volumes: volumes.map(({ name, path }) => ({ folder: volumeFolder(who, name), path })) }),
    ports: service.ports.map(({ containerPort, protocol }): WorkloadPort => ({ containerPort, protocol })),
    health: service.health satisfies WorkloadHealth,
    egress: service.egress,
    stopSignal: service.stopSignal,
    drainMs: service.drainMs,
    graceMs: service.graceMs,
    specHash: template.hash,
    state,
  };
}

/** In place of a version: workloads of jobs have none. */
const jobVersion = "job";
const noPorts: readonly WorkloadPort[] = [];

/** A job's run as the agent starts it. */
export function runSpec({ id, hash, template, state }: RunOrder): WorkloadSpec {
  const { job } = template;
  const { retries, timeoutMs } = job;
  return {
    id,
    namespace: job.namespace,
    app: job.name,
    version: jobVersion,
    replica: 0,
    command: job.command,
    dir: job.dir,
    env: { WEIR_NAMESPACE: job.namespace, WEIR_JOB: job.name, WEIR_RUN: id, ...resolveEnv(job, template) },
    files: job.mounts.flatMap((mount) => mountFiles(mount, template)),
    ports: noPorts,
    health: {},
    egress: job.egress,
    stopSignal: job.stopSignal,
    drainMs: 0,
    graceMs: job.graceMs,
    specHash: hash,
    job: { retries, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    state,
  };
}

/** What a workload's environment and files are taken from. */
type Contents = Pick<Template | JobTemplate, "configs" | "secrets">;

function resolveEnv({ env }: Service | Job, template: Contents): Readonly<Record<string, string>> {
  const resolved = Object.entries(env).map(([name, value]): [string, string | undefined] => [name, resolveValue(value, template)]);
  return Object.fromEntries(resolved.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function resolveValue(value: EnvValue, template: Contents): string | undefined {
  switch (value.kind) {
    case "literal":
      return value.value;
    case "config":
    case "secret":
      return dataOf(value.kind, value.name, template)[value.key];
  }
}

function dataOf(kind: "config" | "secret", name: string, template: Contents): Config["data"] {
  const all = kind === "config" ? template.configs : template.secrets;
  return all.find((known) => known.name === name)?.data ?? {};
}

function mountFiles(mount: Mount, template: Contents): readonly WorkloadFile[] {
  const data = dataOf(mount.kind, mount.name, template);
  const mode = mount.kind === "secret" ? 0o400 : 0o444;
  if (mount.key !== undefined) {
    const content = data[mount.key];
    return content === undefined ? [] : [{ path: mount.path, content, mode }];
  }
  const base = mount.path.replace(/\/+$/, "");
  return Object.entries(data)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, content]) => ({ path: `${base}/${key}`, content, mode }));
}

/** What the agent reports, in our words. `before`: workloads that did not change are the identical values of it. */
export function platformState(status: AgentStatus, before: PlatformState | undefined): PlatformState {
  const known = (id: string): Workload | undefined => before?.workloads.get(id) ?? before?.runs?.get(id);
  const read = (wanted: boolean): ReadonlyMap<string, Workload> =>
    new Map(status.workloads.filter(({ job }) => (job !== undefined) === wanted).map((one) => [one.id, shared(known(one.id), toWorkload(one))]));
  return { connected: true, generation: status.generation, workloads: read(false), runs: read(true) };
}

function toWorkload(status: WorkloadStatus): Workload {
  const { id, phase, since, restarts, specHash, network, startedAt, reason, lastExit, job } = status;
  const [namespace, app, version] = [status.namespace as Namespace, status.app as AppName, status.version as VersionName];
  return {
    id,
    key: versionKey(namespace, app, version),
    namespace,
    app,
    version,
    hash: specHash,
    phase,
    since,
    restarts,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(network === undefined ? {} : { network }),
    ...(reason === undefined ? {} : { reason }),
    ...(lastExit === undefined ? {} : { lastExit: describeExit(lastExit) }),
    ...(job?.outcome === undefined ? {} : { outcome: job.outcome }),
  };
}

function describeExit({ code, signal }: WorkloadExit): string {
  return signal === null ? `exited with code ${code}` : `ended by ${signal}`;
}

function shared(before: Workload | undefined, after: Workload): Workload {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after) ? before : after;
}
