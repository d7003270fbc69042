/** The authority's side of the wire: gives each node the identities of what runs on it, each gateway its own, and no others. */
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
import { parseSpiffeId, type SpiffeId } from "../model/spiffe.ts";
import type { CallContext, RpcMethod } from "../rpc/method.ts";
import { RpcError, Status } from "../rpc/status.ts";
import type { TrustBundle } from "./bundle.ts";
import type { CertificateAuthority, CertifiedKey } from "./certificate-authority.ts";
import type { Svid } from "./issue.ts";
import { verifyRequest } from "./request.ts";
import { createTurns } from "./turns.ts";

/** Who holds certificates: a node, or a gateway. */
export interface Holder {
  /** Unique among all holders: by it the authority remembers what it holds. */
  readonly name: string;
  readonly id: SpiffeId;
}

export interface CertificateServiceOptions {
  readonly authority: CertificateAuthority;
  /** Who the bearer of a token is. */
  authenticate(token: string): Promise<Result<Holder>>;
  /** What a holder may be beside itself, now: a node its workloads. */
  identitiesOf(holder: Holder): ReadonlySet<SpiffeId>;
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
  const holder = await callingHolder(context, options);
  const request = parse(bytes);
  if (request.requests.length > maxRequests) throw new RpcError(Status.invalidArgument, `more than ${maxRequests} requests in one call`);
  if (request.report !== undefined) {
    await options.authority.report(holder.name, { trusts: request.report.trustedRoots, signedBy: request.report.signingRoots });
  }
  const response = await answer(holder, request, context.signal, options);
  return toBinary(IssueResponseSchema, response);
}

function parse(bytes: Uint8Array): IssueRequest {
  try {
    return fromBinary(IssueRequestSchema, bytes);
  } catch {
    throw new RpcError(Status.invalidArgument, "the request is no IssueRequest");
  }
}

async function callingHolder({ headers, peer }: CallContext, { authenticate, log }: CertificateServiceOptions): Promise<Holder> {
  const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (token === undefined) throw new RpcError(Status.unauthenticated, "the call carries no bearer token");
  const holder = await authenticate(token);
  if (!holder.ok) {
    log.warn("holder refused", { problems: holder.problems });
    throw new RpcError(Status.unauthenticated, holder.problems[0]?.message ?? "the token is refused");
  }
  // Who renews shows its certificate as well; the two must tell the same.
  if (peer !== undefined && peer !== holder.value.id) throw new RpcError(Status.permissionDenied, `the token is of ${holder.value.name}, not of ${peer}`);
  return holder.value;
}

async function answer(holder: Holder, request: IssueRequest, signal: AbortSignal, options: Service): Promise<IssueResponse> {
  const { authority, log } = options;
  const allowed = new Set([...options.identitiesOf(holder), holder.id]);
  const checked: Result<CertifiedKey>[] = [];
  for (const item of request.requests) {
    signal.throwIfAborted();
    checked.push(await options.turns(() => check(item, holder, allowed)));
  }
  const keys = checked.flatMap((result) => (result.ok ? [result.value] : []));
  const svids = [...(await sign(options, holder, keys, signal))];
  const results = request.requests.map((item, at): ResultInit => {
    const result = checked[at];
    if (result?.ok === false) log.warn("identity refused", { holder: holder.name, id: item.spiffeId, problems: result.problems });
    const outcome = result?.ok === true ? certificate(svids.shift()) : refusal(result?.problems ?? []);
    return { spiffeId: item.spiffeId, outcome };
  });
  if (keys.length > 0) log.info("identities issued", { holder: holder.name, count: keys.length });
  return create(IssueResponseSchema, { results, bundle: { domains: domainsOf(authority.bundle.get()) } });
}

async function check(item: CertificateRequest, { name }: Holder, allowed: ReadonlySet<SpiffeId>): Promise<Result<CertifiedKey>> {
  const id = parseSpiffeId(item.spiffeId);
  if (!id.ok) return id;
  if (!allowed.has(id.value)) {
    const message = `no workload with the identity ${id.value} runs on the node ${name}`;
    return { ok: false, problems: [{ code: "identity-not-here", message, hint: "When it has just started there, ask again." }] };
  }
  const spki = await verifyRequest(item.csr);
  return spki.ok ? { ok: true, value: { id: id.value, spki: spki.value } } : spki;
}

async function sign(
  { authority, log }: CertificateServiceOptions,
  { name }: Holder,
  keys: readonly CertifiedKey[],
  signal: AbortSignal,
): Promise<readonly Svid[]> {
  try {
    return await authority.issue(name, keys, signal);
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
