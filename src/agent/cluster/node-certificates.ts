/** A node's certificates, or a gateway's: asked for with its token, renewed with it, served to its Envoy on a socket of its own. Keys never leave it. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { bundlePem } from "../../identity/bundle.ts";
import { createCertificateClient } from "../../identity/certificate-client.ts";
import { keepNodeIdentities, type NodeIdentities } from "../../identity/node-identities.ts";
import { encodeSecrets } from "../../identity/secrets.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { controlPlaneId, type SpiffeId } from "../../model/spiffe.ts";
import { connectRpc, type RpcClient } from "../../rpc/client.ts";
import { createRpcServer, type RpcServer } from "../../rpc/server.ts";
import { type AdsServer, createAdsServer } from "../../xds/server.ts";
import { createSnapshot, emptySnapshot, encodeResource } from "../../xds/snapshot.ts";
import type { ControlAddress } from "./settings.ts";

export interface NodeCertificatesOptions {
  /** Who we are ourselves. */
  readonly own: SpiffeId;
  /** The id by which our Envoy asks for secrets. */
  readonly proxyId: string;
  readonly control: ControlAddress & { readonly kind: "mtls" };
  readonly sdsSocket: string;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1, evenly. */
  readonly random: () => number;
}

export interface NodeCertificates {
  /** Sets whose certificates are needed beside our own. */
  want(identities: ReadonlySet<string>): void;
  /** A connection to the control plane as ourselves. Throws before there is a certificate. */
  connect(): RpcClient;
  readonly server: RpcServer;
  readonly held: Readable<NodeIdentities>;
}

/** A control plane that says nothing for so long is gone: another connection finds its successor. */
const keepaliveMs = 10_000;

/** Begins to keep and serve certificates until `signal` aborts. */
export async function startNodeCertificates(options: NodeCertificatesOptions, signal: AbortSignal): Promise<NodeCertificates> {
  const { own, control, clock, log, random } = options;
  const wanted = new Cell<ReadonlySet<SpiffeId>>(new Set([own]), sameSet);
  const held = new Cell<Readable<NodeIdentities> | undefined>(undefined);
  const target = { host: control.host, port: control.port };
  const expect = { spiffeId: controlPlaneId(control.trustDomain) };
  // What we were told since counts beside what we were started with: roots may be replaced while we run.
  const roots = (): string => {
    const bundle = held.get()?.get().bundle;
    return bundle === undefined ? readFileSync(control.rootsFile, "utf8") : bundlePem(bundle);
  };
  const client = createCertificateClient({
    connect: () => connectRpc({ clock, target, tls: { roots: roots(), expect } }),
    token: () => readFile(control.tokenFile, "utf8"),
  });
  const proxy = { acknowledged: 0 };
  const identities = keepNodeIdentities({ clock, log, wanted, client, random, acknowledged: () => proxy.acknowledged }, signal);
  held.set(identities);
  const sds = createAdsServer({ clock, log });
  const server = createRpcServer({ clock, log, methods: sds.methods });
  await server.listen({ path: options.sdsSocket });
  void serveSecrets({ identities, sds, id: options.proxyId, onAcknowledged: (revision) => (proxy.acknowledged = revision) }, signal);
  return {
    want: (ids) => wanted.set(new Set([own, ...([...ids] as SpiffeId[])])),
    connect() {
      const svid = identities.get().svids.get(own);
      if (svid === undefined) throw new Error("there is no certificate yet");
      return connectRpc({ clock, target, tls: { roots: roots(), expect, own: svid }, keepaliveMs });
    },
    server,
    held: identities,
  };
}

interface SecretServing {
  readonly identities: Readable<NodeIdentities>;
  readonly sds: AdsServer;
  readonly id: string;
  readonly onAcknowledged: (revision: number) => void;
}

/** The authority replaces a root only when it knows what proxies work with, not what they were sent. */
async function serveSecrets({ identities, sds, id, onAcknowledged }: SecretServing, signal: AbortSignal): Promise<void> {
  let snapshot = emptySnapshot;
  for await (const held of identities.watch(signal)) {
    snapshot = createSnapshot(
      encodeSecrets(held).map(({ typeUrl, name, body }) => encodeResource(typeUrl, name, body)),
      snapshot,
    );
    const published = sds.publish(id, snapshot);
    void sds.waitAcked(id, published, signal).then(({ kind }) => {
      if (kind === "acked") onAcknowledged(held.revision);
    });
  }
}

function sameSet(a: ReadonlySet<SpiffeId>, b: ReadonlySet<SpiffeId>): boolean {
  return a.size === b.size && [...a].every((id) => b.has(id));
}
