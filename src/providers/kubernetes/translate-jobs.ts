/** Declared jobs → the Jobs and CronJobs that run them, and what is said of those that ran. */
import { memoizeLast } from "../../lib/memoize.ts";
import { stackLabel } from "../../model/declared-kinds.ts";
import { concurrencyPolicies, containerEnv, type EnvEntry, seconds, volumeMount } from "../../model/kube-container.ts";
import { meshLabel } from "../../model/mesh-pod.ts";
import type { Job } from "../../model/types.ts";
import type { KubeJob } from "./objects.ts";
import { contentsOf, mainContainer, type PodTemplate, podSpec, podText, withHash } from "./translate-pod-template.ts";
import type { Belongs } from "./translate-runners.ts";
import { causeAnnotation, jobLabel, type Labels, restartsAnnotation, type WrittenObject, writtenKey, writtenObject } from "./workload-objects.ts";

/** A job as far as its pods are concerned. */
export interface JobSource {
  readonly job: Job;
  /** How often another run was asked for. */
  readonly restarts: number;
  /** `config/NAME` or `secret/NAME` → hash of its contents, for those that the job uses and that exist. */
  readonly contents: ReadonlyMap<string, string>;
}

/** On pods of a Job, from Kubernetes: the Job's name. */
export const runLabel = "batch.kubernetes.io/job-name";

/** Why a job cannot run on a cluster; undefined: it can. */
export function whyNoJobHere({ image, stopSignal }: Job): string | undefined {
  if (image === undefined) return "it has no image: on a cluster `image` says what its containers are made from";
  if (stopSignal !== "SIGTERM") return `stopSignal ${stopSignal} is not possible on a cluster: containers are stopped by SIGTERM, or by what the image says`;
  return undefined;
}

/** What the pods of a job are made from. */
function podOf(job: Job, restarts: number): PodTemplate {
  const labels = { [jobLabel]: job.name, "app.kubernetes.io/name": job.name, [meshLabel]: "on" };
  // A schedule's runs are asked for one by one: that is no change of what they are made from.
  const asked = job.schedule === undefined && restarts > 0;
  return {
    metadata: { labels, ...(asked ? { annotations: { [restartsAnnotation]: String(restarts) } } : {}) },
    // Each try is a pod of its own, so that what it said can be read afterwards.
    spec: podSpec({ account: job.name, restartPolicy: "Never", graceSeconds: seconds(job.graceMs), mounts: job.mounts, container: container(job) }),
  };
}

function container(job: Job): object {
  const { env, mounts, namespace, name } = job;
  const ours: readonly EnvEntry[] = [
    { name: "WEIR_NAMESPACE", value: namespace },
    { name: "WEIR_JOB", value: name },
    { name: "WEIR_RUN", valueFrom: { fieldRef: { fieldPath: `metadata.labels['${runLabel}']` } } },
  ];
  return mainContainer({ of: job, env: containerEnv(ours, env), mounted: mounts.map(volumeMount) });
}

/** What should be there of one job. */
export interface JobObjects {
  /** Of what its pods are made from. */
  readonly hash: string;
  readonly objects: readonly WrittenObject[];
  /** Runs that stay although nothing wants them any longer: they have ended, and what they said can be read. By `writtenKey`. */
  readonly kept: readonly string[];
  /** The newest cause that was served; undefined: none yet. */
  readonly begun?: string;
}

interface JobWish {
  /** Its Jobs that are there, made by Weir and not by its CronJob. */
  readonly runs: readonly KubeJob[];
  /** What is known of the newest cause that was served. */
  readonly begun: string | undefined;
  readonly belongs: Belongs;
  readonly hash: (text: string) => string;
}

/** A job's pods and the hash of them; made again only when something that they are made from has changed. */
const hashedPods = memoizeLast((job: Job, restarts: number, hash: JobWish["hash"], ...contents: readonly string[]) => {
  const template = podOf(job, restarts);
  const made = hash(podText(template, { contents: contentsOf(contents) }));
  return { hash: made, pods: withHash(template, made) };
});

/** What a job that can run here needs: its account, its CronJob, or the Job for what it is now. */
export function jobObjects(source: JobSource, wish: JobWish): JobObjects {
  const { job, restarts } = source;
  const { belongs, begun } = wish;
  const { hash, pods } = hashedPods(job, restarts, wish.hash, ...[...source.contents].flat());
  const account = object("ServiceAccount", job.name, job, belongs, {}, { automountServiceAccountToken: false });
  const always = [account, ...(job.schedule === undefined ? [] : [cronJob(job, pods, belongs)])];
  const cause = causeOf(job, restarts, hash);
  const over = wish.runs.filter(({ state, terminating }) => state !== "running" && !terminating).toSorted((a, b) => b.startedAt - a.startedAt);
  const keep = (current?: KubeJob): readonly string[] => keptOf(job, wish.runs, over, current);
  const none = { hash, objects: always, kept: keep(), ...(begun === undefined ? {} : { begun }) };
  if (cause === undefined) return none;
  const current = wish.runs.find((run) => run.cause === cause && !run.terminating);
  const isServed = begun === cause || (current !== undefined && current.state !== "failed");
  const mark = job.schedule === undefined ? hash : wish.hash(`${hash} ${cause}`);
  const wanted = jobObject({ name: `${job.name}-${mark.slice(0, 8)}`, job, pods, cause, belongs });
  // It is there, or was: it stays as it is, and is not made again.
  if (isServed) return { hash, objects: current === undefined ? always : [...always, wanted], kept: keep(current), begun: cause };
  // One that failed at this before, and something else came in between: it makes room first. So does whatever still runs for something else.
  const isInTheWay = wish.runs.some(({ name, state }) => name === wanted.metadata.name || (job.schedule === undefined && state === "running"));
  if (isInTheWay) return { ...none, kept: keep().filter((key) => key !== writtenKey(wanted)) };
  return { ...none, objects: [...always, wanted] };
}

/** What it should have run for by now; undefined: only its schedule says. */
function causeOf({ schedule }: Job, restarts: number, hash: string): string | undefined {
  if (schedule === undefined) return hash;
  return restarts > 0 ? `restart ${restarts}` : undefined;
}

/** What ended stays as long as there is room; what was asked for beside a schedule also while it runs. */
function keptOf(job: Job, runs: readonly KubeJob[], over: readonly KubeJob[], current: KubeJob | undefined): readonly string[] {
  const ended = over.filter((run) => run !== current).slice(0, job.keep);
  const going = job.schedule === undefined ? [] : runs.filter(({ state }) => state === "running");
  return [...ended, ...going].map((run) => writtenKey({ kind: "Job", metadata: run }));
}

function specOf({ retries, timeoutMs }: Job, template: PodTemplate): object {
  return { backoffLimit: retries, ...(timeoutMs === undefined ? {} : { activeDeadlineSeconds: Math.max(1, seconds(timeoutMs)) }), template };
}

interface Run {
  readonly name: string;
  readonly job: Job;
  readonly pods: PodTemplate;
  readonly cause: string;
  readonly belongs: Belongs;
}

function jobObject({ name, job, pods, cause, belongs }: Run): WrittenObject {
  return object("Job", name, job, belongs, { [causeAnnotation]: cause }, { spec: specOf(job, pods) });
}

function cronJob(job: Job, pods: PodTemplate, belongs: Belongs): WrittenObject {
  return object(
    "CronJob",
    job.name,
    job,
    belongs,
    {},
    {
      spec: {
        schedule: job.schedule?.cron,
        timeZone: job.schedule?.timeZone,
        concurrencyPolicy: concurrencyPolicies[job.concurrency],
        successfulJobsHistoryLimit: job.keep,
        failedJobsHistoryLimit: job.keep,
        suspend: false,
        jobTemplate: { metadata: { labels: { [jobLabel]: job.name } }, spec: specOf(job, pods) },
      },
    },
  );
}

function object(
  kind: WrittenObject["kind"],
  name: string,
  job: Job,
  belongs: Belongs,
  annotations: Labels,
  fields: Readonly<Record<string, unknown>>,
): WrittenObject {
  const labels = { [jobLabel]: job.name, ...(belongs.stack === undefined ? {} : { [stackLabel]: belongs.stack }) };
  return writtenObject(kind, { namespace: job.namespace, name, owners: belongs.owners, labels, annotations, fields });
}
