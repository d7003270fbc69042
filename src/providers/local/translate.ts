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
import type { Template } from "../../model/declared.ts";
import { type AppName, type Namespace, type VersionName, versionKey } from "../../model/names.ts";
import type { Config, EnvValue, Mount } from "../../model/types.ts";
import type { Workload } from "../../model/workload.ts";
import type { PlatformState, ReplicaOrder } from "../provider.ts";

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
    env: { WEIR_NAMESPACE: service.namespace, WEIR_APP: service.app, WEIR_VERSION: service.version, WEIR_REPLICA: String(index), ...resolveEnv(template) },
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

function resolveEnv(template: Template): Readonly<Record<string, string>> {
  const resolved = Object.entries(template.service.env).map(([name, value]): [string, string | undefined] => [name, resolveValue(value, template)]);
  return Object.fromEntries(resolved.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function resolveValue(value: EnvValue, template: Template): string | undefined {
  switch (value.kind) {
    case "literal":
      return value.value;
    case "config":
    case "secret":
      return dataOf(value.kind, value.name, template)[value.key];
  }
}

function dataOf(kind: "config" | "secret", name: string, template: Template): Config["data"] {
  const all = kind === "config" ? template.configs : template.secrets;
  return all.find((known) => known.name === name)?.data ?? {};
}

function mountFiles(mount: Mount, template: Template): readonly WorkloadFile[] {
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
  const workloads = new Map(status.workloads.map((workload) => [workload.id, shared(before?.workloads.get(workload.id), toWorkload(workload))]));
  return { connected: true, generation: status.generation, workloads };
}

function toWorkload(status: WorkloadStatus): Workload {
  const { id, phase, since, restarts, specHash, network, startedAt, reason, lastExit } = status;
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
  };
}

function describeExit({ code, signal }: WorkloadExit): string {
  return signal === null ? `exited with code ${code}` : `ended by ${signal}`;
}

function shared(before: Workload | undefined, after: Workload): Workload {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after) ? before : after;
}
