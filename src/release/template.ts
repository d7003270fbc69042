/** What a replica is made from: the service with the configs and secrets it refers to, as they are now. */
import { canonicalJson } from "../lib/canonical-json.ts";
import type { Declared, DeclaredSnapshot, JobTemplate, Template } from "../model/declared.ts";
import { objectKey } from "../model/names.ts";
import type { Config, Job, Service } from "../model/types.ts";

type Kind = "config" | "secret";

/** The configs or secrets that a service or job refers to and that are declared; sorted by name. */
export function usedData(
  snapshot: DeclaredSnapshot,
  { namespace, env, mounts }: Pick<Service | Job, "namespace" | "env" | "mounts">,
  kind: Kind,
): readonly Declared<Kind>[] {
  const references = [...Object.values(env), ...mounts].filter((reference) => reference.kind === kind);
  const names = [...new Set(references.map((reference) => ("name" in reference ? reference.name : "")))].toSorted();
  return names.map((name) => snapshot.objects[kind].get(objectKey(namespace, name))).filter((object) => object !== undefined);
}

/** The template without its hash. */
export function templateOf(snapshot: DeclaredSnapshot, declared: Declared<"service">): Omit<Template, "hash"> {
  const { service, restarts } = declared.value;
  const values = (kind: Kind): readonly Config[] => usedData(snapshot, service, kind).map((object) => object.value);
  return { service, restarts, configs: values("config"), secrets: values("secret") };
}

/**
 * Text that differs exactly when a running replica must be replaced by a new one. Changes of how many there are, of the callers' ports, of being public,
 * of the times to stop and of how big a volume is need no new process. It holds secrets: hash it at once.
 */
export function templateText(template: Omit<Template, "hash">): string {
  const { scale: _scale, public: _public, drainMs: _drain, graceMs: _grace, ports, volumes, ...others } = template.service;
  const { autoscale: _autoscale, perNode: _perNode, resources: _resources, ...service } = others;
  const kept = volumes?.map(({ name, path }) => `${name} ${path}`);
  const listening = ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  return canonicalJson({ ...template, service: { ...service, listening, ...(kept === undefined ? {} : { kept }) } });
}

/** What a run of a job is made from, as it is now. */
export function jobTemplateOf(snapshot: DeclaredSnapshot, job: Job): JobTemplate {
  const values = (kind: Kind): readonly Config[] => usedData(snapshot, job, kind).map((object) => object.value);
  return { job, configs: values("config"), secrets: values("secret") };
}

/**
 * Text that differs exactly when a job that has no schedule must run again. How it is tried again, how long it may take and when it is told to stop changes
 * nothing of what it does. It holds secrets: hash it at once.
 */
export function jobText({ job, configs, secrets }: JobTemplate, restarts: number): string {
  const { namespace, name, command, dir, env, mounts, egress } = job;
  return canonicalJson({ job: { namespace, name, command, dir, env, mounts, egress }, configs, secrets, restarts });
}
