import { createHash } from "node:crypto";
import type { Declared, DeclaredSnapshot, JobTemplate } from "../model/declared.ts";
import type { WantedJob } from "../release/jobs.ts";
import { jobTemplateOf, jobText, usedData } from "../release/template.ts";

interface Known {
  readonly parts: readonly Declared[];
  readonly wanted: WantedJob;
}

/** Says what every declared job is made from; hashes only what changed. */
export class WantedJobs {
  readonly #known = new WeakMap<Declared, Known>();

  /** By key, the jobs of a snapshot. */
  of(snapshot: DeclaredSnapshot): ReadonlyMap<string, WantedJob> {
    return new Map([...snapshot.objects.job].map(([key, object]) => [key, this.#wanted(snapshot, object)]));
  }

  #wanted(snapshot: DeclaredSnapshot, object: Declared<"job">): WantedJob {
    const { job, restarts } = object.value;
    const parts = [...usedData(snapshot, job, "config"), ...usedData(snapshot, job, "secret")];
    const known = this.#known.get(object);
    if (known !== undefined && known.parts.length === parts.length && known.parts.every((part, i) => part === parts[i])) return known.wanted;
    const template: JobTemplate = jobTemplateOf(snapshot, job);
    // A schedule's runs are asked for one by one: that is no change of what they are made from.
    const text = jobText(template, job.schedule === undefined ? restarts : 0);
    const wanted = { key: object.key, object, template, hash: createHash("sha256").update(text).digest("hex").slice(0, 16) };
    this.#known.set(object, { parts, wanted });
    return wanted;
  }
}
