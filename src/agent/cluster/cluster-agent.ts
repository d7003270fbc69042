/** The agent of one Kubernetes node, put together: the pods' keeper, the node Envoy, the link to the control plane, the guard. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { Envoy } from "../../dataplane/envoy.ts";
import type { NodeIdentities } from "../../identity/node-identities.ts";
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { nodeProxyId, type SpiffeId } from "../../model/spiffe.ts";
import type { RpcClient } from "../../rpc/client.ts";
import type { NodeOrder } from "./contract.ts";
import { runControlLink } from "./control-link.ts";
import { drainEnvoy } from "./drain.ts";
import { findPods } from "./find-pods.ts";
import { watchLostPeers } from "./lost-peers.ts";
import { fileMemory } from "./memory.ts";
import { runGuard } from "./pod-guard.ts";
import { PodKeeper } from "./pod-keeper.ts";
import { podNetwork } from "./pod-network.ts";
import { type ClusterAgentSettings, xdsAddress } from "./settings.ts";
import { wholeReport } from "./whole-report.ts";

export interface ClusterAgentParts {
  /** Connects to the control plane's NodeService. */
  readonly connectControl: () => RpcClient;
  /** Told the identities (SPIFFE IDs) that pods of this node have, at the start and with each order: their certificates are to be served on `sdsSocket`. */
  readonly onIdentities: (identities: ReadonlySet<string>) => void;
  /** The certificates that are held for them; absent: there are none. */
  readonly identities?: Readable<NodeIdentities>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ClusterAgent {
  readonly keeper: PodKeeper;
  readonly envoy: Envoy;
  /** Ends everything. `keep`: the rules stay for the next agent; while none is there, pods go on without a mesh, as far as strict ones let them. `release`: nothing stays, pods go on without us. */
  stop(onExit: ClusterAgentSettings["onExit"]): Promise<void>;
}

/** Where the certificates of Envoy and of pods are served to Envoy. */
export function sdsSocketOf(settings: ClusterAgentSettings): string {
  return path.join(settings.runDir, "sds.sock");
}

/** Starts everything. What earlier agents left in pods is found again and held until the first order comes. Throws when folders cannot be made. */
export function startClusterAgent(settings: ClusterAgentSettings, parts: ClusterAgentParts): ClusterAgent {
  const { clock, log } = parts;
  for (const folder of [settings.runDir, settings.stateDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const memory = fileMemory(settings.stateDir);
  const network = podNetwork(settings.tools, path.join(settings.runDir, "netns"));
  const keeper = new PodKeeper({
    node: settings.node,
    network,
    find: (uids) => findPods(uids, settings.proc),
    memory,
    clock,
    log,
  });
  const envoy = nodeEnvoy(settings, parts);
  const identitiesOf = (order: NodeOrder): ReadonlySet<string> => new Set(order.pods.map((pod) => pod.identity));
  const remembered = memory.load().order;
  let gateways = new Set(remembered.gateways);
  parts.onIdentities(identitiesOf(remembered));
  const stopping = new AbortController();
  keeper.start();
  // Its first configuration names namespaces: a listener whose namespace is not pinned yet would fail, and not be tried again.
  keeper.looked.addEventListener("abort", () => envoy.start());
  const onOrder = (order: NodeOrder): void => {
    parts.onIdentities(identitiesOf(order));
    gateways = new Set(order.gateways);
    keeper.setOrder(order);
  };
  const identities = parts.identities === undefined ? {} : { identities: parts.identities };
  const report = wholeReport({ pods: keeper.report, envoy: envoy.state, ...identities }, stopping.signal);
  const hasCertificate = (uid: string): boolean => {
    const identity = keeper.identityOf(uid);
    const held = parts.identities?.get().svids;
    return held === undefined || (identity !== undefined && held.has(identity as SpiffeId));
  };
  const running = Promise.all([
    runControlLink({ connect: parts.connectControl, onOrder, report, clock, log }, stopping.signal),
    runGuard({ socket: settings.nriSocket, keeper, addressOf: (source) => network.addressOf(source), hasCertificate, clock, log }, stopping.signal),
    watchLostPeers({ tools: settings.tools, gateways: () => namespacesOf(gateways, settings.proc), clock, log }, stopping.signal),
  ]);
  return {
    keeper,
    envoy,
    async stop(onExit) {
      stopping.abort();
      await running;
      await keeper.stop();
      if (onExit === "release") await keeper.letGo();
      // When the rules stay, it takes new connections during the first half: perhaps nobody else does yet. Another agent's Envoy on the same ports gets its
      // share of them, and all when this one stops to listen.
      const { drainSeconds } = settings;
      await drainEnvoy({
        adminSocket: adminSocketOf(settings),
        drainSeconds,
        mayEndEarly: onExit === "release",
        longestSeconds: 2 * drainSeconds,
        ...(onExit === "keep" ? { onClosing: () => keeper.leave(settings.concurrency) } : {}),
        clock,
      });
      if (onExit === "release") await keeper.release();
      await envoy.stop();
      log.info("stopped", { onExit });
    },
  };
}

function namespacesOf(uids: ReadonlySet<string>, proc: string): readonly string[] {
  return uids.size === 0 ? [] : [...findPods(uids, proc).byUid.values()].map(({ pid }) => path.join(proc, String(pid), "ns/net"));
}

function nodeEnvoy(settings: ClusterAgentSettings, { clock, log }: ClusterAgentParts): Envoy {
  return new Envoy({
    nodeId: nodeProxyId(settings.node),
    program: settings.envoy,
    // So that it goes on while our process is started again.
    foster: settings.tools.tini,
    dir: settings.runDir,
    xds: xdsAddress(settings, sdsSocketOf(settings)),
    adminSocket: adminSocketOf(settings),
    concurrency: settings.concurrency,
    maxHeapBytes: settings.maxHeapBytes,
    maxDownstreamConnections: settings.maxConnections,
    drainSeconds: settings.drainSeconds,
    parentSeconds: settings.drainSeconds + 12,
    clock,
    log,
  });
}

function adminSocketOf(settings: ClusterAgentSettings): string {
  return path.join(settings.runDir, "admin.sock");
}
