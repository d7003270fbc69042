/** What a node's agent tells the control plane: of its pods, its Envoy, and the certificates that it holds. */
import type { EnvoyState } from "../../dataplane/envoy.ts";
import { bundlePem } from "../../identity/bundle.ts";
import { type CertificateFacts, describeSvid } from "../../identity/describe.ts";
import type { HeldSvid, NodeIdentities } from "../../identity/node-identities.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import type { AuthorityFacts, HeldCertificate, NodeReport } from "./contract.ts";

export interface ReportSources {
  readonly pods: Readable<NodeReport>;
  readonly envoy: Readable<EnvoyState>;
  /** Absent: this node has no certificates. */
  readonly identities?: Readable<NodeIdentities>;
}

/** One report of all sources, always the newest, until `signal` aborts. */
export function wholeReport(sources: ReportSources, signal: AbortSignal): Readable<NodeReport> {
  const whole = (): NodeReport => ({ ...sources.pods.get(), ...envoyOf(sources.envoy.get()), ...certificatesOf(sources.identities?.get()) });
  const cell = new Cell<NodeReport>(whole(), (a, b) => JSON.stringify(a) === JSON.stringify(b));
  const follow = async (source: Readable<unknown>): Promise<void> => {
    for await (const _ of source.watch(signal)) cell.set(whole());
  };
  const { pods, envoy, identities } = sources;
  for (const source of [pods, envoy, ...(identities === undefined ? [] : [identities])]) void follow(source);
  return cell;
}

function envoyOf({ phase, version, reason }: EnvoyState): Pick<NodeReport, "envoy"> {
  return { envoy: { phase, ...(version === undefined ? {} : { version }), ...(reason === undefined ? {} : { reason }) } };
}

/** Facts of certificates, never their keys: whoever reads the report may show them to everybody. */
export function certificatesOf(held: NodeIdentities | undefined): Pick<NodeReport, "certificates" | "authorities"> {
  if (held === undefined) return {};
  if (held.bundle === undefined) return { certificates: [], authorities: [] };
  const roots = bundlePem(held.bundle);
  const described = [...held.svids.values()].map((svid) => ({ svid, ...describeHeld(svid, roots) }));
  const authorities = new Map(described.flatMap(({ issuers }) => issuers.map((issuer) => [issuer.fingerprint, issuer])));
  return { certificates: described.map(({ certificate }) => certificate), authorities: [...authorities.values()] };
}

const describeHeld = memoizeLast((svid: HeldSvid, roots: string): { readonly certificate: HeldCertificate; readonly issuers: readonly AuthorityFacts[] } => {
  const { serial, notBefore, notAfter, renewAt, issuers } = describeSvid(svid.chain, roots, svid.notBefore);
  const fingerprints = issuers.map(({ fingerprint }) => fingerprint);
  return {
    certificate: { identity: svid.id, serial, notBefore, notAfter, renewAt, issuers: fingerprints },
    issuers: issuers satisfies readonly CertificateFacts[],
  };
});
