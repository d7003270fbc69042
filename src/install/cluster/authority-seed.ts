/** The certificate authority of a new installation: one of our own, or the one the user brings. */
import { readFile } from "node:fs/promises";
import { type AliasFiles, checkAliases } from "../../identity/aliases.ts";
import { createOwnCa } from "../../identity/authority.ts";
import { writeAuthorityState } from "../../identity/authority-state.ts";
import { checkPlugIn, readCaFolder } from "../../identity/plug-in.ts";
import { trustedRoots } from "../../identity/rotation.ts";
import { messageOf } from "../../lib/message-of.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { TrustDomain } from "../../model/spiffe.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { type Raw, record, text, textMap } from "../../providers/kubernetes/readers.ts";
import { aliasesObject, plugInObject, seedObjects, trustConfigMap } from "../authority.ts";
import { aliasesConfigMap, plugInSecret } from "../control.ts";
import { type InstallObject, ownLabel, systemNamespace } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";

export interface PreparedAuthority {
  /** Made when they are missing, and left alone when they are there. */
  readonly seeds: readonly InstallObject[];
  /** What the user gives with this command. */
  readonly given: readonly InstallObject[];
  /** Whether the authority is one that the user brings, or brought. */
  readonly plugIn: boolean;
  readonly trustDomain: TrustDomain;
}

export interface AuthorityWish {
  /** Absent: what is installed, else `fallback`. */
  readonly trustDomain?: TrustDomain;
  readonly fallback: TrustDomain;
  /** Folder of the user's authority. Absent: the one that is installed, else our own. */
  readonly caDir?: string;
  /** Aliases as the command names them: `NAME=FILE`, or `none` alone. Absent or empty: those that are installed. */
  readonly aliases?: readonly string[];
  readonly now: number;
}

/**
 * Prepares the authority's objects. Problems: `trust-domain-differs`, `trust-domain-alias-invalid`, `trust-domain-own`, `ca-*`, `ca-folder-unreadable`, and
 * those of the cluster.
 */
export async function prepareAuthority(client: KubeClient, wish: AuthorityWish): Promise<Result<PreparedAuthority>> {
  const core = (resource: string) => ({ group: "", version: "v1", resource });
  const at = (resource: string, name: string) => client.get({ kind: core(resource), namespace: systemNamespace, name });
  const found = await Promise.all([at("configmaps", trustConfigMap), at("secrets", plugInSecret), at("configmaps", aliasesConfigMap)]);
  for (const one of found) if (!one.ok && one.error.kind !== "notFound") return failed(problemOfApi(one.error, "reading the installed certificate authority"));
  const [trust, installedCa, installedAliases] = found.map((one) => (one.ok ? record(one.value) : undefined));
  const trustDomain = chooseTrustDomain(wish, text(record(trust?.["data"])["trust-domain"]));
  if (!trustDomain.ok) return trustDomain;
  const ca = wish.caDir === undefined ? ok(undefined) : await readFolder(wish.caDir);
  if (!ca.ok) return ca;
  const aliases = await readAliases(wish.aliases ?? [], trustDomain.value);
  if (!aliases.ok) return aliases;
  const signing = ca.value ?? dataOf(installedCa);
  const seeds = await makeSeeds(trustDomain.value, signing, wish.now);
  if (!seeds.ok) return seeds;
  const given = [
    ...(ca.value === undefined ? [] : [plugInObject(ca.value, text(installedCa?.["type"]))]),
    ...(aliases.value === undefined ? [] : [aliasesObject(aliases.value)]),
  ];
  // What was given before stays, and is its owner's: cert-manager may have renewed it since.
  const kept = [
    ...(ca.value === undefined && isOurs(installedCa) ? [plugInObject(dataOf(installedCa) ?? {}, text(installedCa?.["type"]))] : []),
    ...(aliases.value === undefined && isOurs(installedAliases) ? [aliasesObject(dataOf(installedAliases) ?? {})] : []),
  ];
  return ok({ seeds: [...seeds.value, ...kept], given, plugIn: signing !== undefined, trustDomain: trustDomain.value });
}

function dataOf(object: Raw | undefined): Readonly<Record<string, string>> | undefined {
  return object === undefined ? undefined : textMap(object["data"]);
}

function isOurs(object: Raw | undefined): boolean {
  return textMap(record(object?.["metadata"])["labels"])[ownLabel.key] === ownLabel.value;
}

/** What the command says of aliases; undefined: nothing. */
async function readAliases(words: readonly string[], own: TrustDomain): Promise<Result<AliasFiles | undefined>> {
  if (words.length === 0) return ok(undefined);
  if (words.length === 1 && words[0] === "none") return ok({});
  const files: Record<string, string> = {};
  for (const word of words) {
    const [, name = "", file = ""] = /^([^=]+)=(.+)$/.exec(word) ?? [];
    if (name === "") return failed({ code: "trust-domain-alias-invalid", message: `${word} is no NAME=FILE`, hint: "like old.example=./roots.pem, or none" });
    try {
      files[name] = await readFile(file, "utf8");
    } catch (error) {
      return failed({ code: "ca-unreadable", message: messageOf(error), hint: "name a file with the roots as PEM" });
    }
  }
  const checked = checkAliases(files, own);
  return checked.ok ? ok(files) : checked;
}

function chooseTrustDomain({ trustDomain, fallback }: AuthorityWish, installed: string | undefined): Result<TrustDomain> {
  if (installed === undefined) return ok(trustDomain ?? fallback);
  if (trustDomain === undefined || trustDomain === installed) return ok(installed as TrustDomain);
  return failed({
    code: "trust-domain-differs",
    message: `the installation has the trust domain ${installed}, not ${trustDomain}: all identities would change at once`,
    hint: "leave --trust-domain out, or uninstall first",
  });
}

/** In base64, by name. */
async function readFolder(folder: string): Promise<Result<Readonly<Record<string, string>>>> {
  try {
    const files = await readCaFolder(folder);
    return ok(Object.fromEntries(Object.entries(files).map(([name, content]) => [name, Buffer.from(content).toString("base64")])));
  } catch (error) {
    return failed({ code: "ca-folder-unreadable", message: messageOf(error), hint: "name a folder that you can read" });
  }
}

async function makeSeeds(
  trustDomain: TrustDomain,
  plugIn: Readonly<Record<string, string>> | undefined,
  now: number,
): Promise<Result<readonly InstallObject[]>> {
  const files = Object.entries(plugIn ?? {}).map(([name, content]) => [name, Buffer.from(content, "base64").toString("utf8")] as const);
  const signer = plugIn === undefined ? ok(await createOwnCa(trustDomain, now)) : checkPlugIn(Object.fromEntries(files), now);
  if (!signer.ok) return signer;
  const rotation = { phase: "stable", signer: signer.value } as const;
  const roots = trustedRoots(rotation).map(({ pem }) => pem);
  return ok(seedObjects({ trustDomain, state: writeAuthorityState({ trustDomain, rotation, nodes: {} }), roots: roots.join("") }));
}
