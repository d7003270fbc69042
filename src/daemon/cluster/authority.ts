/** The cluster's certificate authority: its state is a Secret, whom to trust stands in a ConfigMap for those who come for the first time. */
import { checkAliases, readAliasFolder } from "../../identity/aliases.ts";
import type { AuthorityStore } from "../../identity/authority-state.ts";
import { bundlePem } from "../../identity/bundle.ts";
import { type CertificateAuthority, openCertificateAuthority } from "../../identity/certificate-authority.ts";
import { checkPlugIn, readCaFolder } from "../../identity/plug-in.ts";
import type { SigningCa } from "../../identity/signing-ca.ts";
import type { Cell } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { Result } from "../../lib/problem.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import type { ControlSettings } from "./settings.ts";

const core = (resource: string) => ({ group: "", version: "v1", resource });
const secretName = "weir-ca";
const stateKey = "state.json";
const trustName = "weir-trust";
/** Renewals and rotations have hours; what users give should be seen to be taken soon after the kubelet brings it. */
const tickMs = 15_000;
const retryMs = 1_000;

/** What the authority of a cluster works with. */
export interface AuthorityOptions {
  readonly client: KubeClient;
  readonly settings: ControlSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Opens the authority; a new cluster gets a new one. One that the user brings and that is not fit leaves the one before at work. Throws when there is none
 * before, and when the state cannot be read or kept.
 */
export async function openAuthority({ client, settings, clock, log }: AuthorityOptions): Promise<CertificateAuthority> {
  const { trustDomain, plugInDir, namespace } = settings;
  const store = secretStore(client, namespace);
  const insteadOf = async (error: unknown): Promise<undefined> => {
    if ((await store.load()) === undefined) throw error;
    log.error("the certificate authority that the user brings is not fit, the one before goes on", { error: messageOf(error) });
  };
  const plugIn = plugInDir === undefined ? undefined : await readPlugIn(plugInDir, clock.now()).catch(insteadOf);
  const authority = await openCertificateAuthority({ clock, store, trustDomain, ...(plugIn === undefined ? {} : { plugIn }) });
  // Nobody who was let in is kept out by our start. What is wrong with it, the first tick tells.
  await takeUpAliases(authority, settings).catch(() => undefined);
  return authority;
}

async function readPlugIn(dir: string, now: number): Promise<SigningCa> {
  return unwrap(checkPlugIn(await readCaFolder(dir), now));
}

function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.problems.map(({ code, message }) => `${code}: ${message}`).join("; "));
}

function secretStore(client: KubeClient, namespace: string): AuthorityStore {
  const place = { kind: core("secrets"), namespace, name: secretName };
  return {
    async load() {
      const found = await client.get(place);
      if (found.ok) return stateOf(found.value);
      if (found.error.kind === "notFound") return undefined;
      throw new Error(`the Secret ${namespace}/${secretName} cannot be read: ${found.error.message}`);
    },
    async save(text) {
      const object = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: secretName, namespace, labels: { "app.kubernetes.io/part-of": "weir" } },
        type: "weir.dev/certificate-authority",
        data: { [stateKey]: Buffer.from(text).toString("base64") },
      };
      const kept = await client.apply(place, object, { force: true });
      if (!kept.ok) throw new Error(`the Secret ${namespace}/${secretName} cannot be kept: ${kept.error.message}`);
    },
  };
}

function stateOf(secret: unknown): string | undefined {
  const text = (secret as { readonly data?: Readonly<Record<string, string>> }).data?.[stateKey];
  return text === undefined ? undefined : Buffer.from(text, "base64").toString("utf8");
}

interface RunOptions extends AuthorityOptions {
  /** Told why something that the user gave is not taken; empty: all is. */
  readonly refused: Cell<string>;
}

/**
 * Renews what is due, takes up what becomes of the authority and the aliases that the user brought, and keeps the ConfigMap as the authority's bundle, until
 * `signal` aborts.
 */
export async function runAuthority(authority: CertificateAuthority, options: RunOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([tickForEver(authority, options, signal), publishTrust(authority, options, signal)]);
}

async function tickForEver(authority: CertificateAuthority, { settings, clock, log, refused }: RunOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const before = authority.state.get().rotation;
    const given = await Promise.allSettled([takeUpPlugIn(authority, settings, clock.now()), takeUpAliases(authority, settings), grant(authority, settings)]);
    const problem = given.flatMap((one) => (one.status === "rejected" ? [messageOf(one.reason)] : [])).join("; ");
    if (problem !== "" && problem !== refused.get()) log.error("what the user gave for the certificate authority is not taken", { problem });
    refused.set(problem);
    await authority.tick().catch((error: unknown) => log.error("the certificate authority cannot go on", { error: messageOf(error) }));
    const { rotation } = authority.state.get();
    if (rotation !== before) log.info("the certificate authority changed", { rotation: rotation.phase, origin: rotation.signer.origin });
    await clock.sleep(tickMs, signal);
  }
}

/** Whoever owns it renews it (cert-manager, for instance), and the kubelet brings what its Secret says then. Throws when it is not fit, or comes too soon. */
async function takeUpPlugIn(authority: CertificateAuthority, { plugInDir }: ControlSettings, now: number): Promise<void> {
  if (plugInDir !== undefined) unwrap(await authority.replaceSigner(await readPlugIn(plugInDir, now)));
}

/** The same for other trust domains. */
async function takeUpAliases(authority: CertificateAuthority, { aliasesDir, trustDomain }: ControlSettings): Promise<void> {
  if (aliasesDir !== undefined) authority.setAliases(unwrap(checkAliases(await readAliasFolder(aliasesDir), trustDomain)));
}

async function grant(authority: CertificateAuthority, { rootWish }: ControlSettings): Promise<void> {
  if (rootWish !== undefined) unwrap(await authority.replaceRoot(rootWish));
}

async function publishTrust(authority: CertificateAuthority, { client, settings, clock, log }: AuthorityOptions, signal: AbortSignal): Promise<void> {
  const { namespace, trustDomain } = settings;
  for await (const bundle of authority.bundle.watch(signal)) {
    const object = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: trustName, namespace, labels: { "app.kubernetes.io/part-of": "weir" } },
      data: { "roots.pem": bundlePem(bundle), "trust-domain": trustDomain },
    };
    while (!signal.aborted) {
      const kept = await client.apply({ kind: core("configmaps"), namespace, name: trustName }, object, { force: true, signal });
      if (kept.ok) break;
      log.warn("the trust bundle cannot be published", { reason: kept.error.message });
      await clock.sleep(retryMs, signal);
    }
  }
}
