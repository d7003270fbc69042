/** A control plane for the test: both services on one socket per node, and the listeners and clusters that a real one would publish, in their simplest form. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { inboundPort, type NodeOrder, nodeMark, nodeSource, outboundPort, type PodOrder, type PodReport } from "../../../src/agent/cluster/contract.ts";
import { realClock as clock } from "../../../src/agent/real-clock.ts";
import { createNodeSync } from "../../../src/daemon/node-sync.ts";
import { nodeProxyId } from "../../../src/model/spiffe.ts";
import { createRpcServer } from "../../../src/rpc/server.ts";
import { messageFromJson } from "../../../src/xds/descriptors.ts";
import { createAdsServer } from "../../../src/xds/server.ts";
import { createSnapshot, encodeResource, type Resource } from "../../../src/xds/snapshot.ts";
import { typeUrls } from "../../../src/xds/type-urls.ts";
import { silentLog } from "../../support/real.ts";
import { type Lab, type LabPod, type PodName, pods } from "./lab.ts";

const type = (name: string): JsonObject => ({ "@type": `type.googleapis.com/envoy.${name}` });

/** Envoy's JSON of a resource. */
type Named = JsonObject & { readonly name: string };

export type Mode = PodOrder["mode"];

/** What is wanted of one pod. */
interface Wish {
  readonly mode: Mode;
  readonly listeners: boolean;
  readonly capture: boolean;
  /** Other nodes call it by mTLS: after its rules are in, and no longer before they go out. */
  readonly secure: boolean;
}

export class Control {
  readonly #lab: Lab;
  readonly #ads = createAdsServer({ clock, log: silentLog });
  readonly #sync = new Map<string, ReturnType<typeof createNodeSync>>();
  readonly #servers: { close(graceMs: number): Promise<void> }[] = [];
  readonly #wishes = new Map<PodName, Wish>();
  readonly #certificates: Certificates;
  #generation = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#certificates = makeCertificates(path.join(lab.folder, "certificates"), Object.values(pods));
  }

  socket(node: string): string {
    return path.join(this.#lab.folder, node, "control.sock");
  }

  async listen(): Promise<void> {
    for (const node of ["a", "b"]) {
      mkdirSync(path.dirname(this.socket(node)), { recursive: true });
      const sync = this.#sync.get(node) ?? createNodeSync({ log: silentLog, peerOf: () => node });
      this.#sync.set(node, sync);
      const server = createRpcServer({ clock, log: silentLog, methods: new Map([...this.#ads.methods, ...sync.methods]), keepaliveMs: 0 });
      await server.listen({ path: this.socket(node) });
      this.#servers.push(server);
      this.publish(node);
    }
  }

  /** As if the control plane died. */
  async close(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map((server) => server.close(0)));
  }

  report(name: PodName): PodReport | undefined {
    const { node, uid } = pods[name];
    const report = this.#sync.get(node)?.reports.get().get(node);
    return report?.pods.find((one) => one.uid === uid);
  }

  generationOf(node: string): number {
    return this.#sync.get(node)?.reports.get().get(node)?.generation ?? -1;
  }

  /** Joining as the contract says it: always permissive first, strict when all callers use mTLS. */
  async join(name: PodName, mode: Mode = "permissive"): Promise<void> {
    const wish: Wish = { mode: "permissive", listeners: false, capture: false, secure: false };
    await this.#wish(name, wish);
    await this.until(`${name} is pinned`, () => this.report(name)?.networkNamespace !== undefined);
    await this.#wish(name, { ...wish, listeners: true });
    await this.#wish(name, { ...wish, listeners: true, capture: true });
    await this.until(`${name} is captured`, () => this.report(name)?.phase === "captured");
    await this.#wish(name, { mode: "permissive", listeners: true, capture: true, secure: true });
    if (mode === "strict") await this.mode(name, mode);
  }

  /** The reverse: plaintext again, then the rules out. Its listeners stay for what was redirected. */
  async leave(name: PodName): Promise<void> {
    await this.#wish(name, { mode: "permissive", listeners: true, capture: true, secure: false });
    await this.#wish(name, { mode: "permissive", listeners: true, capture: false, secure: false });
    await this.until(`${name} is let go`, () => this.report(name)?.phase === "pinned");
  }

  /** The second half of leaving, when its redirected connections have ended. */
  async forget(name: PodName): Promise<void> {
    this.#wishes.delete(name);
    await this.#send(pods[name].node);
  }

  async mode(name: PodName, mode: Mode): Promise<void> {
    await this.#wish(name, { mode, listeners: true, capture: true, secure: true });
  }

  /** Waits until so many Envoys of a node are there and have all that it should have. */
  async proxies(node: string, count: number): Promise<void> {
    await this.until(`${count} Envoys of ${node}`, () => this.#ads.status().find((one) => one.nodeId === nodeProxyId(node))?.streams === count);
    await this.#acked(node);
  }

  async until(what: string, check: () => boolean, ms = 25_000): Promise<void> {
    const end = Date.now() + ms;
    while (!check()) {
      if (Date.now() > end) {
        const all = [...this.#sync.values()].flatMap((sync) => [...sync.reports.get().values()]);
        throw new Error(
          `not within ${ms} ms: ${what}\n${JSON.stringify(all, null, 1)}\n${JSON.stringify(this.#ads.status().map(({ types, ...rest }) => ({ ...rest, types: [...types] })))}`,
        );
      }
      await clock.sleep(10);
    }
  }

  async #wish(name: PodName, wish: Wish): Promise<void> {
    const before = this.#wishes.get(name);
    this.#wishes.set(name, wish);
    const { node } = pods[name];
    if (before?.secure !== wish.secure) await this.#acked(node === "a" ? "b" : "a");
    await this.#send(node);
  }

  async #acked(node: string): Promise<void> {
    const outcome = await this.#ads.waitAcked(nodeProxyId(node), this.publish(node), AbortSignal.timeout(25_000));
    if (outcome.kind === "acked") return;
    throw new Error(`Envoy of ${node}: ${JSON.stringify(outcome, (_, value) => (value instanceof Map ? [...value] : (value as unknown)))}`);
  }

  /** Listeners first, acknowledged; then the order. */
  async #send(node: string): Promise<void> {
    await this.#acked(node);
    this.#generation += 1;
    const order: NodeOrder = {
      generation: this.#generation,
      meshNamespaces: [],
      gateways: [],
      pods: this.#podsOf(node).map(([name, wish]) => orderOf(pods[name], wish)),
    };
    this.#sync.get(node)?.order(node, order);
    await this.until(`order ${order.generation} is worked on`, () => this.generationOf(node) >= order.generation);
  }

  #podsOf(node: string): readonly (readonly [PodName, Wish])[] {
    return [...this.#wishes].filter(([name]) => pods[name].node === node);
  }

  publish(node: string): number {
    const resources: Resource[] = clusters(node, (name) => this.#wishes.get(name)?.secure === true, this.#certificates).map((cluster) =>
      encode(typeUrls.cluster, cluster),
    );
    for (const [name, wish] of this.#podsOf(node)) {
      const networkNamespace = this.report(name)?.networkNamespace;
      if (!wish.listeners || networkNamespace === undefined) continue;
      resources.push(...listeners(pods[name], networkNamespace, wish.mode, this.#certificates).map((listener) => encode(typeUrls.listener, listener)));
    }
    return this.#ads.publish(nodeProxyId(node), createSnapshot(resources));
  }
}

function encode(typeUrl: string, json: Named): Resource {
  return encodeResource(typeUrl, json.name, messageFromJson(typeUrl, json));
}

function orderOf(one: LabPod, wish: Wish): PodOrder {
  return {
    uid: one.uid,
    namespace: "default",
    name: one.name,
    address: one.address,
    identity: identityOf(one.name),
    mode: wish.mode,
    probePorts: [8081],
    capture: wish.capture,
  };
}

/** SOL_SOCKET, SO_MARK. */
const marked = { socketOptions: [{ level: 1, name: 36, intValue: nodeMark, state: "STATE_PREBIND" }] };
/** As the product's: who binds to no address gets his port when he connects, and not one of a moment ago. */
const asAnybody = marked;
const asNode = { ...marked, sourceAddress: { address: nodeSource, portValue: 0 } };

/** Pods of this node are called from our own source address; those of other nodes, with mTLS, from the node's. */
function clusters(node: string, isSecure: (name: PodName) => boolean, certificates: Certificates): readonly Named[] {
  const original = { type: "ORIGINAL_DST", lbPolicy: "CLUSTER_PROVIDED", connectTimeout: "5s" };
  const mesh = Object.values(pods).map((one): Named => {
    const common = { name: `pod/${one.name}`, ...original };
    if (one.node === node) return { ...common, upstreamBindConfig: asNode };
    if (!isSecure(one.name)) return { ...common, upstreamBindConfig: asAnybody };
    const tls = {
      ...type("extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
      commonTlsContext: {
        alpnProtocols: ["weir"],
        tlsCertificates: [certificates.of(`node-${node}`)],
        validationContext: { trustedCa: certificates.roots, matchTypedSubjectAltNames: [{ sanType: "URI", matcher: { exact: identityOf(one.name) } }] },
      },
    };
    return { ...common, upstreamBindConfig: asAnybody, transportSocket: { name: "tls", typedConfig: tls } };
  });
  return [...mesh, { name: "inside", ...original, upstreamBindConfig: asNode }, { name: "anywhere", ...original, upstreamBindConfig: asAnybody }];
}

function listeners(one: LabPod, networkNamespaceFilepath: string, mode: Mode, certificates: Certificates): readonly Named[] {
  const address = (portValue: number): JsonObject => ({ socketAddress: { address: one.address, portValue, networkNamespaceFilepath } });
  const original = { name: "original_dst", typedConfig: type("extensions.filters.listener.original_dst.v3.OriginalDst") };
  const inspector = { name: "tls_inspector", typedConfig: type("extensions.filters.listener.tls_inspector.v3.TlsInspector") };
  const to = (cluster: string): JsonObject => ({
    name: "tcp",
    typedConfig: { ...type("extensions.filters.network.tcp_proxy.v3.TcpProxy"), statPrefix: "tcp", cluster },
  });
  const tls = {
    ...type("extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
    requireClientCertificate: true,
    commonTlsContext: { alpnProtocols: ["weir"], tlsCertificates: [certificates.of(one.name)], validationContext: { trustedCa: certificates.roots } },
  };
  const secure = { filterChainMatch: { applicationProtocols: ["weir"] }, filters: [to("inside")], transportSocket: { name: "tls", typedConfig: tls } };
  const meshed = Object.values(pods).map((other) => ({
    filterChainMatch: { prefixRanges: [{ addressPrefix: other.address, prefixLen: 32 }] },
    filters: [to(`pod/${other.name}`)],
  }));
  return [
    {
      name: `out/${one.name}`,
      address: address(outboundPort),
      listenerFilters: [original],
      filterChains: meshed,
      defaultFilterChain: { filters: [to("anywhere")] },
    },
    {
      name: `in/${one.name}`,
      address: address(inboundPort),
      listenerFilters: [original, inspector],
      filterChains: [secure],
      ...(mode === "permissive" ? { defaultFilterChain: { filters: [to("inside")] } } : {}),
    },
  ];
}

const identityOf = (name: string): string => `spiffe://weir.test/ns/default/sa/${name}`;

interface Certificates {
  readonly roots: JsonObject;
  of(name: string): JsonObject;
}

function makeCertificates(folder: string, all: readonly LabPod[]): Certificates {
  mkdirSync(folder);
  const openssl = (...args: readonly string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test");
  for (const name of [...all.map((one) => one.name), "node-a", "node-b"]) {
    openssl("req", "-new", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/");
    writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=critical,URI:${identityOf(name)}\n`);
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      `${name}.ext`,
      "-out",
      `${name}.crt`,
    );
  }
  const text = (file: string): JsonObject => ({ inlineString: readFileSync(path.join(folder, file), "utf8") });
  return { roots: text("ca.crt"), of: (name) => ({ certificateChain: text(`${name}.crt`), privateKey: text(`${name}.key`) }) };
}
