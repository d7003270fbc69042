/** Other trust domains whose identities are let in, each with the roots above them: a folder (or ConfigMap) with one file of roots for each, by its name. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { parseTrustDomain, type TrustDomain } from "../model/spiffe.ts";
import { type DomainRoots, readRoots } from "./bundle.ts";

/** Trust domain → its roots as PEM. */
export type AliasFiles = Readonly<Record<string, string>>;

/** Reads a folder; one that is not there has none. Throws when it cannot be read. */
export async function readAliasFolder(folder: string): Promise<AliasFiles> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  // What begins with a dot is Kubernetes' own in a mounted ConfigMap.
  const own = names.filter((name) => !name.startsWith("."));
  return Object.fromEntries(await Promise.all(own.map(async (name) => [name, await readFile(path.join(folder, name), "utf8")] as const)));
}

/** Checks aliases of the trust domain `own`, sorted by name. Problems: `trust-domain-invalid`, `trust-domain-own`, `ca-unreadable`. */
export function checkAliases(files: AliasFiles, own: TrustDomain): Result<readonly DomainRoots[]> {
  const checked = Object.entries(files)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, pem]) => checkAlias(name, pem, own));
  const problems = checked.flatMap((one) => (one.ok ? [] : one.problems));
  return problems.length > 0 ? failed(...problems) : ok(checked.flatMap((one) => (one.ok ? [one.value] : [])));
}

function checkAlias(name: string, pem: string, own: TrustDomain): Result<DomainRoots> {
  const trustDomain = parseTrustDomain(name);
  if (!trustDomain.ok) return trustDomain;
  if (name === own) return failed({ code: "trust-domain-own", message: `${name} is this mesh's own trust domain`, hint: "name others only" });
  try {
    const roots = readRoots(pem);
    return roots.length === 0 ? failed(unreadable(name)) : ok({ trustDomain: trustDomain.value, roots });
  } catch {
    return failed(unreadable(name));
  }
}

function unreadable(name: string): Problem {
  return { code: "ca-unreadable", message: `the roots of the trust domain ${name} cannot be read`, hint: "Write them as PEM, one certificate or more." };
}
