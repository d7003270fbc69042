/** Jobs as the Jobs and CronJobs of Kubernetes: the only workloads that are printed, for they need nothing but an image and are in nobody's Service. */
import type { Problem } from "../../lib/problem.ts";
import { concurrencyPolicies, containerEnv, containerResources, type EnvEntry, literal, seconds, volumeMount } from "../../model/kube-container.ts";
import type { Job, Mount } from "../../model/types.ts";
import { type KubeFields, type KubeObject, metadata } from "./object.ts";
import { type Mesh, unsupported } from "./refusal.ts";

/** Beside an ordinary sidecar a Job never ends: these have the mesh inject a native one, an init container that is restarted and does not count. */
const annotationsOf: Readonly<Record<Mesh, Readonly<Record<string, string>>>> = {
  istio: { "sidecar.istio.io/nativeSidecar": "true" },
  linkerd: { "config.beta.linkerd.io/proxy-enable-native-sidecar": "true" },
  "gateway-api": {},
};

/** What of these jobs cannot be said. */
export function jobProblems(jobs: readonly Job[], mesh: Mesh): readonly Problem[] {
  return jobs.flatMap(({ name, image, stopSignal, where }) => [
    ...(image === undefined
      ? [
          unsupported({
            mesh,
            because: `runs containers, and the job \`${name}\` has no image`,
            where,
            hint: "Add `image:` to the job, or take it out of the file.",
          }),
        ]
      : []),
    ...(stopSignal === "SIGTERM"
      ? []
      : [
          unsupported({
            mesh,
            because: `runs on Kubernetes, which has no stopSignal ${stopSignal}`,
            where,
            hint: "Containers get SIGTERM, or what their image says.",
          }),
        ]),
  ]);
}

/** A ServiceAccount for who it is, and a Job or CronJob, for each. */
export function emitJobs(jobs: readonly Job[], mesh: Mesh): readonly KubeObject[] {
  return jobs.flatMap((job) => {
    const named = metadata({ name: job.name, namespace: job.namespace });
    const account: KubeObject = { apiVersion: "v1", kind: "ServiceAccount", metadata: named, automountServiceAccountToken: false };
    return [account, { apiVersion: "batch/v1", metadata: named, ...(job.schedule === undefined ? once(job, mesh) : byTheClock(job, mesh)) }];
  });
}

/** How a Job is applied again: its pods cannot be changed. */
export function jobNotices(jobs: readonly Job[]): readonly string[] {
  const names = jobs.filter(({ schedule }) => schedule === undefined).map(({ name, namespace }) => `${namespace}/${name}`);
  if (names.length === 0) return [];
  return [`A Job runs once, and its pods cannot be changed: to run it again, delete it before you apply the file (${names.join(", ")}).`];
}

function once(job: Job, mesh: Mesh): Pick<KubeObject, "kind" | "spec"> {
  return { kind: "Job", spec: jobSpec(job, mesh) };
}

function byTheClock(job: Job, mesh: Mesh): Pick<KubeObject, "kind" | "spec"> {
  const spec: KubeFields = {
    schedule: job.schedule?.cron,
    timeZone: job.schedule?.timeZone,
    concurrencyPolicy: concurrencyPolicies[job.concurrency],
    successfulJobsHistoryLimit: job.keep,
    failedJobsHistoryLimit: job.keep,
    jobTemplate: { spec: jobSpec(job, mesh) },
  };
  return { kind: "CronJob", spec };
}

function jobSpec(job: Job, mesh: Mesh): KubeFields {
  const annotations = annotationsOf[mesh];
  return {
    backoffLimit: job.retries,
    activeDeadlineSeconds: job.timeoutMs === undefined ? undefined : seconds(job.timeoutMs),
    template: {
      metadata: { labels: { "app.kubernetes.io/name": job.name }, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
      spec: {
        serviceAccountName: job.name,
        restartPolicy: "Never",
        terminationGracePeriodSeconds: seconds(job.graceMs),
        containers: [container(job)],
        volumes: job.mounts.length === 0 ? undefined : job.mounts.map(volume),
      },
    },
  };
}

function container({ name, namespace, image = "", command, env, mounts, resources }: Job): KubeFields {
  const ours: readonly EnvEntry[] = [
    { name: "WEIR_JOB", value: name },
    { name: "WEIR_NAMESPACE", value: namespace },
  ];
  return {
    name: "main",
    image,
    command: command.length === 0 ? undefined : command.map(literal),
    env: containerEnv(ours, env),
    volumeMounts: mounts.length === 0 ? undefined : mounts.map(volumeMount),
    resources: resources === undefined ? undefined : containerResources(resources),
  };
}

function volume({ kind, name, key }: Mount, at: number): KubeFields {
  const items = key === undefined ? undefined : [{ key, path: key }];
  return { name: `mount-${at}`, ...(kind === "config" ? { configMap: { name, items } } : { secret: { secretName: name, items } }) };
}
