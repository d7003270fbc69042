/** A declared version → what makes its pods on a cluster: a Deployment, a StatefulSet or a DaemonSet, and what belongs to it. */
import { stackLabel } from "../../model/declared-kinds.ts";
import type { AppName, Namespace, VersionName } from "../../model/names.ts";
import type { Service, Volume } from "../../model/types.ts";
import { hasVolumes, type PodSource, podTemplate, versionSelector, withHash } from "./translate-pod-template.ts";
import { type Labels, type Owner, type RunnerKind, type WrittenObject, writtenKinds, writtenObject } from "./workload-objects.ts";

/** Who owns an object, and the stack that it belongs to, if any. */
export interface Belongs {
  readonly owners: readonly Owner[];
  readonly stack?: string;
}

/** The name of a version's objects: `web-v2`. */
export function versionName(app: AppName, version: VersionName): string {
  return `${app}-${version}`;
}

/** What makes the pods of a version. */
export function runnerKind(service: Pick<Service, "perNode" | "volumes">): RunnerKind {
  if (service.perNode === true) return "DaemonSet";
  return hasVolumes(service) ? "StatefulSet" : "Deployment";
}

/** What makes the pods of a version that can run here, with what it needs. `hash` is that of `podText`. */
export function runnerObjects(source: PodSource, hash: string, belongs: Belongs): readonly WrittenObject[] {
  const { service } = source;
  const template = withHash(podTemplate(source), hash);
  const kind = runnerKind(service);
  const spec = { ...replicas(service), ...ownFields(kind, service), selector: { matchLabels: versionSelector(service) }, template };
  return [
    versionObject(kind, service, belongs, { spec }),
    ...(kind === "StatefulSet" ? [podNames(service, belongs)] : []),
    ...(service.autoscale === undefined ? [] : [autoscaler(service, kind, belongs)]),
  ];
}

/** What an autoscaler decides is left out: a field that nobody applies is nobody's to put back. */
function replicas({ scale, autoscale, perNode }: Service): object {
  return perNode === true || autoscale !== undefined ? {} : { replicas: scale };
}

function ownFields(kind: RunnerKind, service: Service): object {
  switch (kind) {
    case "Deployment":
      // One more first, then one less: there are never fewer than declared.
      return { revisionHistoryLimit: 2, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 0 } } };
    case "DaemonSet":
      return { revisionHistoryLimit: 2, updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
    case "StatefulSet":
      return {
        revisionHistoryLimit: 2,
        serviceName: podNamesService(service),
        // They start together, and are replaced one by one. The other policy would wait for ever for a pod that does not come up, also when what is wrong with it was mended.
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate" },
        // Nothing deletes data but who asks for it.
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        volumeClaimTemplates: (service.volumes ?? []).map((volume) => claim(volume, versionSelector(service))),
      };
    default:
      return kind satisfies never;
  }
}

function claim({ name, size, class: storageClassName }: Volume, labels: Labels): object {
  return {
    metadata: { name, labels },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: size } }, ...(storageClassName === undefined ? {} : { storageClassName }) },
  };
}

function podNamesService({ app, version }: Service): string {
  return `${versionName(app, version)}-pods`;
}

/** Gives each pod its own name, `db-v1-0.db-v1-pods`, also before it is ready: those of one version look for each other to become so. */
function podNames(service: Service, belongs: Belongs): WrittenObject {
  const ports = [...new Map(service.ports.map((port) => [port.containerPort, port])).values()];
  const named = ports.map(({ containerPort, protocol }) => ({
    name: `${protocol}-${containerPort}`,
    port: containerPort,
    protocol: "TCP",
    targetPort: containerPort,
  }));
  const spec = {
    type: "ClusterIP",
    clusterIP: "None",
    publishNotReadyAddresses: true,
    selector: versionSelector(service),
    ...(named.length === 0 ? {} : { ports: named }),
  };
  return versionObject("Service", service, belongs, { spec }, podNamesService(service));
}

function autoscaler(service: Service, kind: RunnerKind, belongs: Belongs): WrittenObject {
  const { app, version, scale, autoscale } = service;
  const target = { type: "Utilization", averageUtilization: autoscale?.cpu };
  return versionObject("HorizontalPodAutoscaler", service, belongs, {
    spec: {
      scaleTargetRef: { apiVersion: writtenKinds[kind].apiVersion, kind, name: versionName(app, version) },
      minReplicas: Math.max(1, scale),
      maxReplicas: autoscale?.max,
      // Of the container that is ours: what others inject asks for nothing, and then nothing could be measured by the pod.
      metrics: [{ type: "ContainerResource", containerResource: { name: "cpu", container: "main", target } }],
    },
  });
}

function versionObject(
  kind: WrittenObject["kind"],
  service: Service,
  { owners, stack }: Belongs,
  fields: Readonly<Record<string, unknown>>,
  name: string = versionName(service.app, service.version),
): WrittenObject {
  const own = versionSelector(service);
  const labels = stack === undefined ? own : { ...own, [stackLabel]: stack };
  return writtenObject(kind, { namespace: service.namespace satisfies Namespace, name, owners, labels, fields });
}
