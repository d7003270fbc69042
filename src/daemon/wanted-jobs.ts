import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import type { WantedJob } from "../release/jobs.ts";
import { jobTemplateOf, jobText } from "../release/template.ts";
import { madeFromUsed, shortHash } from "./made-from.ts";

/** Says what every declared job is made from; hashes only what changed. */
export class WantedJobs {
  readonly #made = madeFromUsed<WantedJob>();

  /** By key, the jobs of a snapshot. */
  of(snapshot: DeclaredSnapshot): ReadonlyMap<string, WantedJob> {
    return new Map([...snapshot.objects.job].map(([key, object]) => [key, this.#made(snapshot, object, object.value.job, () => wantedJob(snapshot, object))]));
  }
}

function wantedJob(snapshot: DeclaredSnapshot, object: Declared<"job">): WantedJob {
  const { job, restarts } = object.value;
  const template = jobTemplateOf(snapshot, job);
  // A schedule's runs are asked for one by one: that is no change of what they are made from.
  return { key: object.key, object, template, hash: shortHash(jobText(template, job.schedule === undefined ? restarts : 0)) };
}
