/** Builds a cluster's control plane, starts it, and ends it. */
import { bundlePem } from "../../identity/bundle.ts";
import type { CertificateAuthority } from "../../identity/certificate-authority.ts";
import { createLocalClient } from "../../identity/certificate-client.ts";
import { createCertificateService, type Holder } from "../../identity/certificate-service.ts";
import { keepNodeIdentities } from "../../identity/node-identities.ts";
import { bearerOfTokenReview, type TokenReviewStatus } from "../../identity/token-review.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { controlPlaneId, nodeId, type SpiffeId, subjectOf, type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { ClusterAccess } from "../../providers/kubernetes/access.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { noGatewayClaims } from "../../providers/kubernetes/translate-wanted.ts";
import { ClusterWatch } from "../../providers/kubernetes/watch.ts";
import { createRpcServer } from "../../rpc/server.ts";
import type { TlsMaterial } from "../../rpc/tls.ts";
import { createAdsServer } from "../../xds/server.ts";
import { createNodeSync } from "../node-sync.ts";
import { weirVersion } from "../settings.ts";
import { openAuthority, runAuthority } from "./authority.ts";
import { ClusterLoop } from "./cluster-loop.ts";
import { runGateways } from "./gateways.ts";
import { joinedBefore, runMeshReporter } from "./mesh-reporter.ts";
import { ProxyLink } from "./proxy-link.ts";
import { keepServing } from "./serving-certificate.ts";
import type { ControlSettings } from "./settings.ts";
import { StatusReporter } from "./status-reporter.ts";
import { WorkloadController } from "./workload-controller.ts";

/** What nodes' tokens are made for: one for the Kubernetes API would not do. */
const tokenAudience = "weir";
const nodeServiceAccount = "weir-node";
const goodbyeMs = 500;

export interface ControlPlaneOptions {
  readonly settings: ControlSettings;
  /** How our pod is called. */
  readonly self: string;
  readonly access: ClusterAccess;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1, evenly. */
  readonly random: () => number;
}

export interface ControlPlane {
  /** The port that nodes connect to. */
  readonly port: number;
  readonly loop: ClusterLoop;
  /** Whether it has read the cluster once. */
  isReady(): boolean;
  /** Ends it; Envoys and agents go on. */
  stop(): Promise<void>;
}

/** Starts a control plane; resolves when nodes can connect. Throws when the authority cannot be opened or a port is taken. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { settings, self, access, clock, log, random } = options;
  const { trustDomain } = settings;
  const stopping = new AbortController();
  const { signal } = stopping;
  const client = new KubeClient({ access, clock });
  const authority = await openAuthority({ client, settings, clock, log });
  const watch = new ClusterWatch({ client, clock, log, random });
  const ads = createAdsServer({ clock, log, mayBe: (peer, id) => peer === `spiffe://${trustDomain}/${id}` });
  const nodes = createNodeSync({ log, peerOf: ({ peer }) => nodeOf(peer, trustDomain) });
  const proxies = new ProxyLink({ ads, clock });
  const before = await joinedBefore(client, log, signal);
  const { namespace, domain } = settings;
  const loop = new ClusterLoop({ view: watch.view, agents: nodes, proxies, joinedBefore: before, trustDomain, namespace, domain, clock, log });
  const claims = new Cell(noGatewayClaims);
  const refused = new Cell("");
  const workloads = new WorkloadController({ view: watch.view, gateways: claims, client, clock, log });
  const reporter = new StatusReporter({ client, view: watch.view, inForce: loop.inForce, workloads: workloads.state, gatewayApi: loop.statuses, clock, log });
  const certificates = createCertificateService({
    authority,
    log,
    authenticate: (token) => authenticate(client, settings, token, loop.state.get().gateways),
    identitiesOf: ({ name }) => loop.state.get().identities.get(name) ?? new Set(),
  });
  const material = await ownMaterial(authority, options, signal);
  const rpc = createRpcServer({
    clock,
    log,
    methods: new Map([...ads.methods, ...nodes.methods, ...certificates]),
    // A node that comes for the first time has no certificate yet; who may do what, each service decides by it.
    tls: { material, clientCertificate: "optional" },
    maxMessageBytes: 64 * 1024 * 1024,
  });
  const bound = await rpc.listen({ host: "0.0.0.0", port: settings.port });
  const work = Promise.all([
    watch.start(signal),
    loop.start(signal),
    runGateways(
      { client, clock, log, settings, view: watch.view, gateways: loop.gateways, publicPorts: loop.publicPorts, bundle: authority.bundle, claims },
      signal,
    ),
    workloads.start(signal),
    reporter.start(signal),
    runMeshReporter(
      {
        client,
        clock,
        log,
        facts: loop.facts,
        authority: authority.state,
        refused,
        version: weirVersion,
        trustDomain,
        namespace: settings.namespace,
        leader: self,
      },
      signal,
    ),
    keepServing({ client, authority, namespace: settings.namespace, clock, log }, signal),
    runAuthority(authority, { client, settings, clock, log, refused }, signal),
  ]);
  return {
    port: "port" in bound ? bound.port : settings.port,
    loop,
    isReady: () => watch.view.get() !== undefined,
    async stop() {
      stopping.abort();
      proxies.close();
      await rpc.close(goodbyeMs);
      await work;
      access.close();
    },
  };
}

/** The name of the node whose certificate a client showed. */
function nodeOf(peer: string | undefined, trustDomain: TrustDomain): string | undefined {
  if (peer?.startsWith(`spiffe://${trustDomain}/`) !== true) return undefined;
  const subject = subjectOf(peer as SpiffeId);
  return subject.kind === "node" ? subject.node : undefined;
}

/** Nodes' agents and the pods of `gateways`; nobody else gets a certificate. */
async function authenticate(
  client: KubeClient,
  { namespace, trustDomain }: ControlSettings,
  token: string,
  gateways: ReadonlySet<SpiffeId>,
): Promise<Result<Holder>> {
  const kind = { group: "authentication.k8s.io", version: "v1", resource: "tokenreviews" };
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [tokenAudience] } };
  const answer = await client.create({ kind }, review);
  if (!answer.ok) return failed({ code: "node-token-refused", message: `the token cannot be reviewed: ${answer.error.message}` });
  const { status = {} } = answer.value as { readonly status?: TokenReviewStatus };
  const bearer = bearerOfTokenReview(status, { audience: tokenAudience, namespace, serviceAccount: nodeServiceAccount });
  if (!bearer.ok) return bearer;
  if (bearer.value.kind === "node") return ok({ name: bearer.value.node, id: nodeId(trustDomain, bearer.value.node) });
  const { serviceAccount, pod } = bearer.value;
  const id = workloadId(trustDomain, bearer.value.namespace as Namespace, serviceAccount as AppName);
  // A name that no node can have.
  if (gateways.has(id)) return ok({ name: `gateway ${bearer.value.namespace}/${pod}`, id });
  return failed({ code: "node-token-refused", message: `the token is refused: ${id} is neither a node's agent nor a gateway` });
}

/** Our own certificate, renewed for as long as we run. */
async function ownMaterial(
  authority: CertificateAuthority,
  { settings, clock, log, random }: ControlPlaneOptions,
  signal: AbortSignal,
): Promise<Readable<TlsMaterial>> {
  const own = controlPlaneId(settings.trustDomain);
  const wanted = new Cell<ReadonlySet<SpiffeId>>(new Set([own]));
  const identities = keepNodeIdentities({ clock, log, wanted, client: createLocalClient(authority, "control"), random }, signal);
  const materialNow = (): TlsMaterial | undefined => {
    const { svids, bundle } = identities.get();
    const svid = svids.get(own);
    return svid === undefined || bundle === undefined ? undefined : { chain: svid.chain, key: svid.key, roots: bundlePem(bundle) };
  };
  for await (const _ of identities.watch(signal)) if (materialNow() !== undefined) break;
  const first = materialNow();
  if (first === undefined) throw new Error("ended before there was a certificate");
  const cell = new Cell<TlsMaterial>(first);
  void (async () => {
    for await (const _ of identities.watch(signal)) cell.update((before) => materialNow() ?? before);
  })();
  return cell;
}
