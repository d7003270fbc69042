/** The cluster's certificate authority: its state is a Secret, whom to trust stands in a ConfigMap for those who come for the first time. */
import type { AuthorityStore } from "../../identity/authority-state.ts";
import { bundlePem } from "../../identity/bundle.ts";
import { type CertificateAuthority, openCertificateAuthority } from "../../identity/certificate-authority.ts";
import { checkPlugIn, readCaFolder } from "../../identity/plug-in.ts";
import type { SigningCa } from "../../identity/signing-ca.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import type { ControlSettings } from "./settings.ts";

const core = (resource: string) => ({ group: "", version: "v1", resource });
const secretName = "weir-ca";
const stateKey = "state.json";
const trustName = "weir-trust";
/** Renewals and rotations have hours; this only must be much shorter. */
const tickMs = 60_000;
const retryMs = 1_000;

/** Opens the authority; a new cluster gets a new one. Throws when its state cannot be read or kept, or the user's own authority is not fit. */
export async function openAuthority(client: KubeClient, settings: ControlSettings, clock: Clock): Promise<CertificateAuthority> {
  const { trustDomain, plugInDir, namespace } = settings;
  const plugIn = plugInDir === undefined ? undefined : await readPlugIn(plugInDir, clock.now());
  return openCertificateAuthority({ clock, store: secretStore(client, namespace), trustDomain, ...(plugIn === undefined ? {} : { plugIn }) });
}

async function readPlugIn(dir: string, now: number): Promise<SigningCa> {
  const checked = checkPlugIn(await readCaFolder(dir), now);
  if (checked.ok) return checked.value;
  throw new Error(checked.problems.map(({ code, message }) => `${code}: ${message}`).join("; "));
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

/** Renews what is due, and keeps the ConfigMap as the authority's bundle, until `signal` aborts. */
export async function runAuthority(
  authority: CertificateAuthority,
  options: { readonly client: KubeClient; readonly settings: ControlSettings; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([tickForEver(authority, options, signal), publishTrust(authority, options, signal)]);
}

async function tickForEver(authority: CertificateAuthority, { clock, log }: { readonly clock: Clock; readonly log: Log }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await authority.tick().catch((error: unknown) => log.error("the certificate authority cannot go on", { error: String(error) }));
    await clock.sleep(tickMs, signal);
  }
}

async function publishTrust(
  authority: CertificateAuthority,
  { client, settings, clock, log }: { readonly client: KubeClient; readonly settings: ControlSettings; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
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
