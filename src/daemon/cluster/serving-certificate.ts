/** The certificate by which the API server knows us: kept in a Secret, so that every control plane has the same, and renewed by the one that leads. */
import { bundlePem } from "../../identity/bundle.ts";
import type { CertificateAuthority } from "../../identity/certificate-authority.ts";
import { createKeyPair } from "../../identity/keys.ts";
import { createRequest, verifyRequest } from "../../identity/request.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { record, text } from "../../providers/kubernetes/readers.ts";

/** Names are as `weir install` makes them. */
const secretName = "weir-webhook";
const configurationName = "weir-validate";
const webhookName = "validate.weir.dev";
/** Our own field manager: what `weir install` says of the same object stays its own. */
const manager = "weir-control";

export interface ServingCertificate {
  /** PEM: the certificate, then the intermediates above it. */
  readonly chain: string;
  readonly key: string;
}

export type ServingSight =
  | { readonly kind: "there"; readonly value: ServingCertificate }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly reason: string };

function placeOf(namespace: string): ObjectPlace {
  return { kind: { group: "", version: "v1", resource: "secrets" }, namespace, name: secretName };
}

/** The certificate that is kept. */
export async function readServing(client: Pick<KubeClient, "get">, namespace: string): Promise<ServingSight> {
  const found = await client.get(placeOf(namespace));
  if (!found.ok) return found.error.kind === "notFound" ? { kind: "absent" } : { kind: "unreadable", reason: found.error.message };
  const data = record(record(found.value)["data"]);
  const [chain, key] = [data["tls.crt"], data["tls.key"]].map((content) => Buffer.from(text(content) ?? "", "base64").toString("utf8"));
  return chain === undefined || key === undefined || chain === "" || key === "" ? { kind: "absent" } : { kind: "there", value: { chain, key } };
}

export interface ServingOptions {
  readonly client: Pick<KubeClient, "get" | "apply">;
  readonly authority: Pick<CertificateAuthority, "bundle" | "state" | "issueServing">;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
}

const lookMs = 60_000;
const retryMs = 5_000;

/**
 * Keeps the certificate fresh, and what the API server trusts as the authority's bundle, until `signal` aborts. A new root is trusted before anything is
 * signed with it, for the bundle has it before.
 */
export async function keepServing(options: ServingOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, authority } = options;
  let held: Issued | undefined;
  let told = "";
  while (!signal.aborted) {
    const roots = bundlePem(authority.bundle.get());
    const problems: string[] = [];
    if (told !== roots) {
      const answer = await tellRoots(options, roots, signal);
      if (answer === undefined) told = roots;
      else problems.push(answer);
    }
    if (isDue(held, authority.state.get().rotation.signer.root.id, clock.now())) {
      const renewed = await renew(options, signal).catch(messageOf);
      if (typeof renewed === "string") problems.push(renewed);
      else held = renewed;
    }
    if (problems.length > 0 && !signal.aborted) log.warn("the API server cannot ask us about declared objects; trying again", { reason: problems.join("; ") });
    await clock.sleep(problems.length > 0 ? retryMs : lookMs, signal);
  }
}

interface Issued {
  readonly root: string;
  readonly renewAt: number;
}

function isDue(held: Issued | undefined, root: string, now: number): boolean {
  return held === undefined || held.root !== root || held.renewAt <= now;
}

/** One that a control plane before us made is replaced: whatever it was for, this one is for us. */
async function renew({ client, authority, namespace }: ServingOptions, signal: AbortSignal): Promise<Issued> {
  const pair = await createKeyPair();
  const spki = await verifyRequest(await createRequest(pair));
  if (!spki.ok) throw new Error("a request of our own is broken");
  const service = `weir-control.${namespace}.svc`;
  const { chain, notBefore, notAfter, root } = await authority.issueServing([service, `${service}.cluster.local`], spki.value);
  const data = { "tls.crt": Buffer.from(chain).toString("base64"), "tls.key": Buffer.from(pair.privatePem).toString("base64") };
  const metadata = { name: secretName, namespace, labels: { "app.kubernetes.io/part-of": "weir" } };
  const object = { apiVersion: "v1", kind: "Secret", metadata, type: "weir.dev/serving-certificate", data };
  const kept = await client.apply(placeOf(namespace), object, { force: true, signal });
  if (!kept.ok) throw new Error(`the Secret ${namespace}/${secretName} cannot be kept: ${kept.error.message}`);
  return { root, renewAt: (notBefore + notAfter) / 2 };
}

/** Says whom the API server may trust to be us. Undefined: it is said; else why not. Whoever deleted the configuration does not want to be asked: it is not made. */
async function tellRoots({ client }: ServingOptions, roots: string, signal: AbortSignal): Promise<string | undefined> {
  const kind = { group: "admissionregistration.k8s.io", version: "v1", resource: "validatingwebhookconfigurations" };
  const place = { kind, name: configurationName };
  const found = await client.get(place, signal);
  if (!found.ok) return found.error.kind === "notFound" ? undefined : found.error.message;
  const object = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: configurationName },
    webhooks: [{ name: webhookName, clientConfig: { caBundle: Buffer.from(roots).toString("base64") } }],
  };
  const told = await client.apply(place, object, { force: true, manager, signal });
  return told.ok ? undefined : `the roots cannot be told in ${configurationName}: ${told.error.message}`;
}
