import type { Declared, DeclaredSnapshot, Template, Write } from "../model/declared.ts";
import type { VersionKey } from "../model/names.ts";
import type { Replica, WantedVersion } from "../release/replace.ts";
import { templateOf, templateText } from "../release/template.ts";
import { madeFromUsed, shortHash } from "./made-from.ts";

/** Says what should run of everything declared; hashes only what changed. */
export class WantedVersions {
  readonly #made = madeFromUsed<Template>();

  /** By key, what a snapshot wants. */
  of(snapshot: DeclaredSnapshot): ReadonlyMap<VersionKey, WantedVersion> {
    return new Map(
      [...snapshot.objects.service.values()].map((declared): [VersionKey, WantedVersion] => {
        const key = declared.key as VersionKey;
        const { app, version, scale, volumes = [] } = declared.value.service;
        const numbered = volumes.length > 0 ? { numbered: true } : {};
        return [key, { key, app, version, scale, hash: this.#template(snapshot, declared).hash, ...numbered }];
      }),
    );
  }

  /** What to write so that every wanted and every running replica has its template, and nothing else has one. */
  templateWrites(snapshot: DeclaredSnapshot, replicas: Iterable<Replica>): readonly Write[] {
    const needed = new Set([...replicas].map((replica) => templateKey(replica.key, replica.hash)));
    const writes: Write[] = [];
    for (const declared of snapshot.objects.service.values()) {
      const template = this.#template(snapshot, declared);
      const key = templateKey(declared.key, template.hash);
      needed.add(key);
      if (!snapshot.objects.template.has(key)) writes.push({ op: "put", kind: "template", key, value: template });
    }
    for (const key of snapshot.objects.template.keys()) if (!needed.has(key)) writes.push({ op: "delete", kind: "template", key });
    return writes;
  }

  #template(snapshot: DeclaredSnapshot, declared: Declared<"service">): Template {
    return this.#made(snapshot, declared, declared.value.service, () => {
      const made = templateOf(snapshot, declared);
      return { ...made, hash: shortHash(templateText(withoutImage(made))) };
    });
  }
}

/** Here a command runs; another image is no reason for another process. */
function withoutImage(template: Omit<Template, "hash">): Omit<Template, "hash"> {
  const { image: _image, ...service } = template.service;
  return { ...template, service };
}

/** Key of a template in the store. */
export function templateKey(key: string, hash: string): string {
  return `${key}#${hash}`;
}
