/** One declared version → what its pods are made from. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { containerEnv, containerResources, type EnvEntry, literal, seconds, volumeMount } from "../../model/kube-container.ts";
import { meshLabel } from "../../model/mesh-pod.ts";
import type { Mount, Port, Probe, ProbeKind, Service } from "../../model/types.ts";
import { appLabel, hashLabel, type Labels, restartsAnnotation, versionLabel } from "./workload-objects.ts";

/** A version as far as its pods are concerned. */
export interface PodSource {
  readonly service: Service;
  /** How often a restart was asked for. */
  readonly restarts: number;
  /** `config/NAME` or `secret/NAME` → hash of its contents, for those that the version uses and that exist. */
  readonly contents: ReadonlyMap<string, string>;
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
  readonly spec: object;
}

/** So long a pod goes on after it left the endpoints, at least: until every node's proxy has heard of it. */
const shortestDrainMs = 3_000;
/** Which group may read what is mounted does not matter to images; Kubernetes' own default. */
const fileMode = 0o644;

/** Names of the configs and secrets that a version refers to: `config/NAME`, `secret/NAME`; sorted. */
export function contentNames({ env, mounts }: Pick<Service, "env" | "mounts">): readonly string[] {
  const references = [...Object.values(env), ...mounts].flatMap((one) => (one.kind === "literal" ? [] : [`${one.kind}/${one.name}`]));
  return [...new Set(references)].sort();
}

/** Says whether something of a version's pods outlives them. */
export function hasVolumes({ volumes }: Pick<Service, "volumes">): boolean {
  return volumes !== undefined && volumes.length > 0;
}

/** `contents` out of a flat list of names and hashes, which is how what is remembered is compared. */
export function contentsOf(pairs: readonly string[]): PodSource["contents"] {
  return new Map(pairs.flatMap((name, at) => (at % 2 === 0 ? [[name, pairs[at + 1] ?? ""] as const] : [])));
}

/** Labels that pods and their Deployment are matched by; they never change. */
export function versionSelector({ app, version }: Pick<Service, "app" | "version">): Labels {
  return { [appLabel]: app, [versionLabel]: version };
}

/** What the pods of a version with an image are made from, without the hash of it. */
export function podTemplate({ service, restarts }: PodSource): PodTemplate {
  const { app, version, graceMs } = service;
  const labels = { ...versionSelector(service), "app.kubernetes.io/name": app, "app.kubernetes.io/version": version, [meshLabel]: "on" };
  return {
    metadata: { labels, ...(restarts === 0 ? {} : { annotations: { [restartsAnnotation]: String(restarts) } }) },
    spec: podSpec({ account: app, graceSeconds: drainSeconds(service) + seconds(graceMs), mounts: service.mounts, container: container(service) }),
  };
}

interface PodParts {
  readonly account: string;
  readonly restartPolicy?: "Never";
  readonly graceSeconds: number;
  readonly mounts: readonly Mount[];
  readonly container: object;
}

/** A pod of one container. */
export function podSpec({ account, restartPolicy, graceSeconds, mounts, container }: PodParts): object {
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    containers: [container],
    ...(mounts.length === 0 ? {} : { volumes: mounts.map(volume) }),
  };
}

interface ContainerParts {
  readonly of: Pick<Service, "image" | "command" | "resources">;
  readonly env: readonly EnvEntry[];
  readonly ports?: readonly object[];
  /** Probes and hooks. */
  readonly calls?: object;
  readonly mounted: readonly object[];
}

/** The one container of a pod. Ordinary images start as root and change to another user themselves; that much is left to them. */
export function mainContainer({ of: { image, command, resources }, env, ports = [], calls = {}, mounted }: ContainerParts): object {
  return {
    name: "main",
    image,
    ...(command.length === 0 ? {} : { command: command.map(literal) }),
    env,
    ...(ports.length === 0 ? {} : { ports }),
    ...(resources === undefined ? {} : { resources: containerResources(resources) }),
    ...calls,
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["NET_RAW"] } },
    ...(mounted.length === 0 ? {} : { volumeMounts: mounted }),
  };
}

/** The same, with the hash of `podText` on its pods. */
export function withHash(template: PodTemplate, hash: string): PodTemplate {
  return { ...template, metadata: { ...template.metadata, labels: { ...template.metadata.labels, [hashLabel]: hash } } };
}

/** Text that differs exactly when pods must be replaced by new ones; hash it. It holds no contents of secrets, only their hashes. */
export function podText(template: PodTemplate, { contents }: Pick<PodSource, "contents">): string {
  return canonicalJson([template, [...contents].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function drainSeconds({ drainMs }: Service): number {
  return seconds(Math.max(shortestDrainMs, drainMs));
}

function container(service: Service): object {
  const { ports, mounts, health, volumes = [] } = service;
  const mounted = [...mounts.map(volumeMount), ...volumes.map(({ name, path }) => ({ name, mountPath: path }))];
  const names = portNames(ports);
  const own = new Map(ports.map((port) => [port.containerPort, port]));
  const listening = [...own.keys()].map((number) => ({ name: names.get(number), containerPort: number, protocol: "TCP" }));
  // The time in which it is no longer called, but still answers; the stop signal comes after it.
  const lifecycle = { preStop: { sleep: { seconds: drainSeconds(service) } } };
  return mainContainer({ of: service, env: environment(service), ports: listening, calls: { ...probes(health, ports), lifecycle }, mounted });
}

/**
 * Container port → its name in the pod: by what it speaks and its place among those (`http`, `http-2`). Services mean it by this name, so a version may move
 * to another number while pods of before still listen at theirs, and versions of one app need not agree.
 */
export function portNames(ports: readonly Port[]): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  const counts = new Map<string, number>();
  for (const { containerPort, protocol } of ports) {
    if (names.has(containerPort)) continue;
    const count = (counts.get(protocol) ?? 0) + 1;
    counts.set(protocol, count);
    names.set(containerPort, count === 1 ? protocol : `${protocol}-${count}`);
  }
  return names;
}

/** Of a replica with volumes: its number, by which it finds them again. Others have no number, and say their name. */
function replicaField(service: Service): string {
  return hasVolumes(service) ? "metadata.labels['apps.kubernetes.io/pod-index']" : "metadata.name";
}

function environment(service: Service): readonly EnvEntry[] {
  const { namespace, app, version, env } = service;
  const ours: readonly EnvEntry[] = [
    { name: "WEIR_NAMESPACE", value: namespace },
    { name: "WEIR_APP", value: app },
    { name: "WEIR_VERSION", value: version },
    { name: "WEIR_REPLICA", valueFrom: { fieldRef: { fieldPath: replicaField(service) } } },
  ];
  return containerEnv(ours, env);
}

/** What a mount takes its files from; `index`: its place in the list. */
function volume({ kind, name, key }: Mount, index: number): object {
  const source = { defaultMode: fileMode, ...(key === undefined ? {} : { items: [{ key, path: key }] }) };
  const named = kind === "config" ? { configMap: { name, ...source } } : { secret: { secretName: name, ...source } };
  return { name: `mount-${index}`, ...named };
}

/** As on one machine: who says nothing is ready when the first port takes connections. */
function probes({ start, ready, live }: Service["health"], ports: readonly Port[]): object {
  const [first] = ports;
  const usual: Probe | undefined =
    first === undefined
      ? undefined
      : {
          check: { kind: "tcp", port: first.containerPort },
          initialDelayMs: 0,
          intervalMs: 1_000,
          timeoutMs: 1_000,
          failureThreshold: 3,
          successThreshold: 1,
        };
  const readiness = ready ?? usual;
  return {
    // Kubernetes takes no other number of successes for these two.
    ...(start === undefined ? {} : { startupProbe: probe({ ...start, successThreshold: 1 }) }),
    ...(readiness === undefined ? {} : { readinessProbe: probe(readiness) }),
    ...(live === undefined ? {} : { livenessProbe: probe({ ...live, successThreshold: 1 }) }),
  };
}

function probe({ check, initialDelayMs, intervalMs, timeoutMs, failureThreshold, successThreshold }: Probe): object {
  return {
    ...checkOf(check),
    initialDelaySeconds: seconds(initialDelayMs),
    periodSeconds: Math.max(1, seconds(intervalMs)),
    timeoutSeconds: Math.max(1, seconds(timeoutMs)),
    failureThreshold: Math.max(1, failureThreshold),
    successThreshold: Math.max(1, successThreshold),
  };
}

function checkOf(check: ProbeKind): object {
  switch (check.kind) {
    case "http": {
      const httpHeaders = Object.entries(check.headers)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => ({ name, value }));
      return { httpGet: { path: check.path, port: check.port, scheme: "HTTP", ...(httpHeaders.length === 0 ? {} : { httpHeaders }) } };
    }
    case "tcp":
      return { tcpSocket: { port: check.port } };
    case "grpc":
      return { grpc: { port: check.port, service: check.service } };
    case "exec":
      return { exec: { command: check.command } };
    default:
      return check satisfies never;
  }
}
