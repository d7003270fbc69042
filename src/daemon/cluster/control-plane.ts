/** Builds a cluster's control plane, starts it, and ends it. */
import { bundlePem } from "../../identity/bundle.ts";
import type { CertificateAuthority } from "../../identity/certificate-authority.ts";
import { createLocalClient } from "../../identity/certificate-client.ts";
import { createCertificateService } from "../../identity/certificate-service.ts";
import { keepNodeIdentities } from "../../identity/node-identities.ts";
import { nodeOfTokenReview, type TokenReviewStatus } from "../../identity/token-review.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { failed, type Result } from "../../lib/problem.ts";
import { controlPlaneId, type SpiffeId, subjectOf, type TrustDomain } from "../../model/spiffe.ts";
import type { ClusterAccess } from "../../providers/kubernetes/access.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { ClusterWatch } from "../../providers/kubernetes/watch.ts";
import { createRpcServer } from "../../rpc/server.ts";
import type { TlsMaterial } from "../../rpc/tls.ts";
import { createAdsServer } from "../../xds/server.ts";
import { createNodeSync } from "../node-sync.ts";
import { openAuthority, runAuthority } from "./authority.ts";
import { ClusterLoop } from "./cluster-loop.ts";
import { ProxyLink } from "./proxy-link.ts";
import { RouteStatusWriter } from "./route-status.ts";
import type { ControlSettings } from "./settings.ts";

/** What nodes' tokens are made for: one for the Kubernetes API would not do. */
const tokenAudience = "weir";
const nodeServiceAccount = "weir-node";
const goodbyeMs = 500;

export interface ControlPlaneOptions {
  readonly settings: ControlSettings;
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
  const { settings, access, clock, log, random } = options;
  const { trustDomain } = settings;
  const stopping = new AbortController();
  const { signal } = stopping;
  const client = new KubeClient({ access, clock });
  const authority = await openAuthority(client, settings, clock);
  const watch = new ClusterWatch({ client, clock, log, random });
  const ads = createAdsServer({ clock, log, mayBe: (peer, id) => peer === `spiffe://${trustDomain}/${id}` });
  const nodes = createNodeSync({ log, peerOf: ({ peer }) => nodeOf(peer, trustDomain) });
  const proxies = new ProxyLink({ ads, clock });
  const loop = new ClusterLoop({ view: watch.view, agents: nodes, proxies, trustDomain, clock, log });
  const statuses = new RouteStatusWriter({ client, clock, log, wanted: loop.routeStatuses });
  const certificates = createCertificateService({
    authority,
    trustDomain,
    log,
    authenticate: (token) => authenticate(client, settings.namespace, token),
    identitiesOf: (node) => loop.state.get().identities.get(node) ?? new Set(),
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
    statuses.start(signal),
    runAuthority(authority, { client, settings, clock, log }, signal),
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

async function authenticate(client: KubeClient, namespace: string, token: string): Promise<Result<string>> {
  const kind = { group: "authentication.k8s.io", version: "v1", resource: "tokenreviews" };
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [tokenAudience] } };
  const answer = await client.create({ kind }, review);
  if (!answer.ok) return failed({ code: "node-token-refused", message: `the node's token cannot be reviewed: ${answer.error.message}` });
  const { status = {} } = answer.value as { readonly status?: TokenReviewStatus };
  return nodeOfTokenReview(status, { audience: tokenAudience, namespace, serviceAccount: nodeServiceAccount });
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
