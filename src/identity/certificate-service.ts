/** The authority's side of the wire: gives each node the identities of what runs on it, and no others. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type CertificateRequest,
  type CertificateResult,
  type CertificateResultSchema,
  type IssueRequest,
  IssueRequestSchema,
  type IssueResponse,
  IssueResponseSchema,
  type TrustDomainRootsSchema,
} from "../../gen/weir/identity/v1/certificates_pb.js";
import type { Log } from "../lib/log.ts";
import type { Problem, Result } from "../lib/problem.ts";
import { nodeId, parseSpiffeId, type SpiffeId, type TrustDomain } from "../model/spiffe.ts";
import type { CallContext, RpcMethod } from "../rpc/method.ts";
import { RpcError, Status } from "../rpc/status.ts";
import type { TrustBundle } from "./bundle.ts";
import type { CertificateAuthority, CertifiedKey } from "./certificate-authority.ts";
import type { Svid } from "./issue.ts";
import { verifyRequest } from "./request.ts";
import { createTurns } from "./turns.ts";

export interface CertificateServiceOptions {
  readonly authority: CertificateAuthority;
  readonly trustDomain: TrustDomain;
  /** Which node the bearer of a token is. */
  authenticate(token: string): Promise<Result<string>>;
  /** The identities of the workloads on a node, as the registry knows them now. */
  identitiesOf(node: string): ReadonlySet<SpiffeId>;
  readonly log: Log;
}

/** The full name of the one method. */
export const issueMethod = "/weir.identity.v1.CertificateService/Issue";

/** More than any node runs workloads. */
export const maxRequests = 1000;

type ResultInit = Exclude<MessageInitShape<typeof CertificateResultSchema>, CertificateResult>;
type Outcome = NonNullable<ResultInit["outcome"]>;

/** The service's methods, for an rpc server. A storm of requests is worked off piece by piece, and keeps no other call waiting. */
export function createCertificateService(options: CertificateServiceOptions): ReadonlyMap<string, RpcMethod> {
  const service: Service = { ...options, turns: createTurns(2) };
  return new Map([[issueMethod, { kind: "unary", handle: (request, context) => issue(request, context, service) }]]);
}

interface Service extends CertificateServiceOptions {
  readonly turns: ReturnType<typeof createTurns>;
}

async function issue(bytes: Uint8Array, context: CallContext, options: Service): Promise<Uint8Array> {
  const node = await callingNode(context, options);
  const request = parse(bytes);
  if (request.requests.length > maxRequests) throw new RpcError(Status.invalidArgument, `more than ${maxRequests} requests in one call`);
  if (request.report !== undefined) {
    await options.authority.report(node, { trusts: request.report.trustedRoots, signedBy: request.report.signingRoots });
  }
  const response = await answer(node, request, context.signal, options);
  return toBinary(IssueResponseSchema, response);
}

function parse(bytes: Uint8Array): IssueRequest {
  try {
    return fromBinary(IssueRequestSchema, bytes);
  } catch {
    throw new RpcError(Status.invalidArgument, "the request is no IssueRequest");
  }
}

async function callingNode({ headers, peer }: CallContext, { authenticate, trustDomain, log }: CertificateServiceOptions): Promise<string> {
  const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (token === undefined) throw new RpcError(Status.unauthenticated, "the call carries no bearer token");
  const node = await authenticate(token);
  if (!node.ok) {
    log.warn("node refused", { problems: node.problems });
    throw new RpcError(Status.unauthenticated, node.problems[0]?.message ?? "the token is refused");
  }
  // A node that renews shows its certificate as well; the two must tell the same.
  if (peer !== undefined && peer !== nodeId(trustDomain, node.value))
    throw new RpcError(Status.permissionDenied, `the token is of ${node.value}, not of ${peer}`);
  return node.value;
}

async function answer(node: string, request: IssueRequest, signal: AbortSignal, options: Service): Promise<IssueResponse> {
  const { authority, trustDomain, log } = options;
  const allowed = new Set([...options.identitiesOf(node), nodeId(trustDomain, node)]);
  const checked: Result<CertifiedKey>[] = [];
  for (const item of request.requests) {
    signal.throwIfAborted();
    checked.push(await options.turns(() => check(item, node, allowed)));
  }
  const keys = checked.flatMap((result) => (result.ok ? [result.value] : []));
  const svids = [...(await sign(options, node, keys, signal))];
  const results = request.requests.map((item, at): ResultInit => {
    const result = checked[at];
    if (result?.ok === false) log.warn("identity refused", { node, id: item.spiffeId, problems: result.problems });
    const outcome = result?.ok === true ? certificate(svids.shift()) : refusal(result?.problems ?? []);
    return { spiffeId: item.spiffeId, outcome };
  });
  if (keys.length > 0) log.info("identities issued", { node, count: keys.length });
  return create(IssueResponseSchema, { results, bundle: { domains: domainsOf(authority.bundle.get()) } });
}

async function check(item: CertificateRequest, node: string, allowed: ReadonlySet<SpiffeId>): Promise<Result<CertifiedKey>> {
  const id = parseSpiffeId(item.spiffeId);
  if (!id.ok) return id;
  if (!allowed.has(id.value)) {
    const message = `no workload with the identity ${id.value} runs on the node ${node}`;
    return { ok: false, problems: [{ code: "identity-not-here", message, hint: "When it has just started there, ask again." }] };
  }
  const spki = await verifyRequest(item.csr);
  return spki.ok ? { ok: true, value: { id: id.value, spki: spki.value } } : spki;
}

async function sign({ authority, log }: CertificateServiceOptions, node: string, keys: readonly CertifiedKey[], signal: AbortSignal): Promise<readonly Svid[]> {
  try {
    return await authority.issue(node, keys, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    log.error("the certificate authority cannot sign", { error });
    throw new RpcError(Status.unavailable, "the certificate authority cannot sign now");
  }
}

function certificate(svid: Svid | undefined): Outcome {
  if (svid === undefined) throw new Error("fewer certificates than keys");
  const { chain, notBefore, notAfter, root } = svid;
  return { case: "certificate", value: { chainPem: chain, notBefore: BigInt(notBefore / 1000), notAfter: BigInt(notAfter / 1000), root } };
}

function refusal(problems: readonly Problem[]): Outcome {
  return { case: "refusal", value: { code: problems[0]?.code ?? "", reason: problems.map(({ message }) => message).join("; ") } };
}

function domainsOf({ own, aliases }: TrustBundle): MessageInitShape<typeof TrustDomainRootsSchema>[] {
  return [own, ...aliases].map(({ trustDomain, roots }) => ({ trustDomain, rootsPem: roots.map(({ pem }) => pem).join("") }));
}
