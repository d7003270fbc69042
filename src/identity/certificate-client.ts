/** A node's way to the authority: over the wire, or without one where both are in one process. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type CertificateResult,
  IssueRequestSchema,
  IssueResponseSchema,
  type TrustBundle as TrustBundleMessage,
} from "../../gen/weir/identity/v1/certificates_pb.js";
import { parseTrustDomain, type SpiffeId } from "../model/spiffe.ts";
import type { RpcClient } from "../rpc/client.ts";
import { type DomainRoots, readRoots, type TrustBundle } from "./bundle.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { issueMethod } from "./certificate-service.ts";
import { verifyRequest } from "./request.ts";
import type { NodeReport } from "./rotation.ts";

/** A request for one identity: its key is proved by the CSR, and stays here. */
export interface SvidRequest {
  readonly id: SpiffeId;
  readonly csr: Uint8Array;
}

export type SvidAnswer =
  | { readonly kind: "issued"; readonly chain: string; readonly notBefore: number; readonly notAfter: number; readonly root: string }
  | { readonly kind: "refused"; readonly code: string; readonly reason: string };

export interface Issued {
  /** In the order of the requests. */
  readonly answers: readonly SvidAnswer[];
  readonly bundle: TrustBundle;
}

export interface CertificateClient {
  /** Asks for certificates, says what is in use (when that is known), and learns whom to trust. Throws when there is no answer, or one that makes no sense. */
  issue(requests: readonly SvidRequest[], report: NodeReport | undefined, signal: AbortSignal): Promise<Issued>;
}

export interface CertificateClientOptions {
  /** Opens a connection, with the newest roots and the token's audience in mind. One for each call: they are minutes apart, and the control plane may be another then. */
  connect(): RpcClient;
  /** The projected token; read anew each time, because it is replaced. */
  token(): Promise<string>;
  readonly timeoutMs?: number;
}

/** The client of a node agent. */
export function createCertificateClient({ connect, token, timeoutMs = 60_000 }: CertificateClientOptions): CertificateClient {
  return {
    async issue(requests, report, signal) {
      const headers = { authorization: `Bearer ${(await token()).trim()}` };
      const message = create(IssueRequestSchema, {
        requests: requests.map(({ id, csr }) => ({ spiffeId: id, csr })),
        ...(report === undefined ? {} : { report: { trustedRoots: [...report.trusts], signingRoots: [...report.signedBy] } }),
      });
      const client = connect();
      try {
        const bytes = await client.unary(issueMethod, toBinary(IssueRequestSchema, message), { headers, signal, timeoutMs });
        const { results, bundle } = fromBinary(IssueResponseSchema, bytes);
        return { answers: requests.map(({ id }, at) => answerOf(id, results[at])), bundle: readBundle(bundle) };
      } finally {
        client.close();
      }
    },
  };
}

function answerOf(id: SpiffeId, result: CertificateResult | undefined): SvidAnswer {
  if (result?.spiffeId !== id) throw new Error(`the answer about ${id} is missing`);
  switch (result.outcome.case) {
    case "certificate": {
      const { chainPem, notBefore, notAfter, root } = result.outcome.value;
      return { kind: "issued", chain: chainPem, notBefore: Number(notBefore) * 1000, notAfter: Number(notAfter) * 1000, root };
    }
    case "refusal":
      return { kind: "refused", code: result.outcome.value.code, reason: result.outcome.value.reason };
    case undefined:
      throw new Error(`the answer about ${id} is empty`);
    default:
      return result.outcome satisfies never;
  }
}

function readBundle(message: TrustBundleMessage | undefined): TrustBundle {
  const [own, ...aliases] = (message?.domains ?? []).map(({ trustDomain, rootsPem }): DomainRoots => {
    const name = parseTrustDomain(trustDomain);
    if (!name.ok) throw new Error(name.problems[0]?.message);
    return { trustDomain: name.value, roots: readRoots(rootsPem) };
  });
  if (own === undefined || own.roots.length === 0) throw new Error("the answer has no roots to trust");
  return { own, aliases };
}

/** The client of the process in which the authority itself is, for its own identities. */
export function createLocalClient(authority: CertificateAuthority, holder: string): CertificateClient {
  return {
    async issue(requests, report, signal) {
      if (report !== undefined) await authority.report(holder, report);
      const keys = await Promise.all(
        requests.map(async ({ id, csr }) => {
          const spki = await verifyRequest(csr);
          if (!spki.ok) throw new Error(`a request of our own for ${id} is broken`);
          return { id, spki: spki.value };
        }),
      );
      const svids = await authority.issue(holder, keys, signal);
      return {
        answers: svids.map(({ chain, notBefore, notAfter, root }) => ({ kind: "issued", chain, notBefore, notAfter, root })),
        bundle: authority.bundle.get(),
      };
    },
  };
}
