/** The certificate authority of a new installation: one of our own, or the one the user brings. */
import { createHash } from "node:crypto";
import { createOwnCa } from "../../identity/authority.ts";
import { writeAuthorityState } from "../../identity/authority-state.ts";
import { checkPlugIn, readCaFolder } from "../../identity/plug-in.ts";
import { trustedRoots } from "../../identity/rotation.ts";
import { messageOf } from "../../lib/message-of.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { TrustDomain } from "../../model/spiffe.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { record, text, textMap } from "../../providers/kubernetes/readers.ts";
import { plugInObject, seedObjects, trustConfigMap } from "../authority.ts";
import { plugInSecret } from "../control.ts";
import { type InstallObject, systemNamespace } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";

export interface PreparedAuthority {
  /** Made when they are missing. */
  readonly seeds: readonly InstallObject[];
  /** The Secret of the authority that the user brings, or brought. */
  readonly plugIn?: { readonly object: InstallObject; readonly mark: string };
  readonly trustDomain: TrustDomain;
}

export interface AuthorityWish {
  /** Absent: what is installed, else `fallback`. */
  readonly trustDomain?: TrustDomain;
  readonly fallback: TrustDomain;
  /** Folder of the user's authority. Absent: the one that is installed, else our own. */
  readonly caDir?: string;
  readonly now: number;
}

/** Prepares the authority's objects. Problems: `trust-domain-differs`, `ca-*`, `ca-folder-unreadable`, and those of the cluster. */
export async function prepareAuthority(client: KubeClient, wish: AuthorityWish): Promise<Result<PreparedAuthority>> {
  const core = (resource: string) => ({ group: "", version: "v1", resource });
  const at = (resource: string, name: string) => client.get({ kind: core(resource), namespace: systemNamespace, name });
  const [trust, installed] = await Promise.all([at("configmaps", trustConfigMap), at("secrets", plugInSecret)]);
  for (const found of [trust, installed])
    if (!found.ok && found.error.kind !== "notFound") return failed(problemOfApi(found.error, "reading the installed certificate authority"));
  const trustDomain = chooseTrustDomain(wish, trust.ok ? text(record(record(trust.value)["data"])["trust-domain"]) : undefined);
  if (!trustDomain.ok) return trustDomain;
  const before = installed.ok ? textMap(record(installed.value)["data"]) : undefined;
  const data = wish.caDir === undefined ? ok(before) : await readFolder(wish.caDir);
  if (!data.ok) return data;
  const seeds = await makeSeeds(trustDomain.value, data.value, wish.now);
  if (!seeds.ok) return seeds;
  const plugIn = data.value === undefined ? {} : { plugIn: { object: plugInObject(data.value), mark: markOf(data.value) } };
  return ok({ seeds: seeds.value, trustDomain: trustDomain.value, ...plugIn });
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

function markOf(data: Readonly<Record<string, string>>): string {
  const entries = Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(entries)).digest("hex").slice(0, 16);
}
