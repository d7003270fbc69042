/** Certificates of our authority in a stock Envoy, over SDS: who gets in, and a root that is replaced while connections go on. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createOwnCa } from "../../src/identity/authority.ts";
import { bundlePem } from "../../src/identity/bundle.ts";
import { openCertificateAuthority } from "../../src/identity/certificate-authority.ts";
import { createLocalClient } from "../../src/identity/certificate-client.ts";
import { createSigner, type Signer } from "../../src/identity/issue.ts";
import { keepNodeIdentities, type NodeIdentities } from "../../src/identity/node-identities.ts";
import { encodeSecrets } from "../../src/identity/secrets.ts";
import { Cell } from "../../src/lib/cell.ts";
import { defaultTrustDomain, type SpiffeId, type TrustDomain } from "../../src/model/spiffe.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { messageFromJson } from "../../src/xds/descriptors.ts";
import { createAdsServer } from "../../src/xds/server.ts";
import { createSnapshot, encodeResource } from "../../src/xds/snapshot.ts";
import { typeUrls } from "../../src/xds/type-urls.ts";
import { certified, memoryStore, spiffe } from "../support/certificates.ts";
import { eventually, realClock, silentLog, temporaryFolder } from "../support/real.ts";
import { freePort } from "./support/weir.ts";

const envoy = process.env["WEIR_ENVOY"] ?? path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");
const ads = { ads: {}, resourceApiVersion: "V3" };
const web = spiffe("spiffe://weir.local/ns/shop/sa/web");
const cart = spiffe("spiffe://weir.local/ns/shop/sa/cart");
const extension = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;

function bootstrap(folder: string) {
  const pipe = (name: string) => ({ pipe: { path: path.join(folder, name) } });
  const http2 = { "@type": extension("upstreams.http.v3.HttpProtocolOptions"), explicitHttpConfig: { http2ProtocolOptions: {} } };
  return {
    node: { id: "node", cluster: "weir" },
    admin: { address: pipe("admin.sock") },
    dynamicResources: {
      adsConfig: { apiType: "DELTA_GRPC", transportApiVersion: "V3", setNodeOnFirstMessageOnly: true, grpcServices: [{ envoyGrpc: { clusterName: "xds" } }] },
      ldsConfig: ads,
    },
    staticResources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
          loadAssignment: { clusterName: "xds", endpoints: [{ lbEndpoints: [{ endpoint: { address: pipe("xds.sock") } }] }] },
        },
      ],
    },
  };
}

/** Answers every request by itself, to callers with a certificate that it trusts. */
function listener(port: number) {
  const tls = {
    "@type": extension("transport_sockets.tls.v3.DownstreamTlsContext"),
    requireClientCertificate: true,
    commonTlsContext: {
      tlsParams: { tlsMinimumProtocolVersion: "TLSv1_3", tlsMaximumProtocolVersion: "TLSv1_3" },
      tlsCertificateSdsSecretConfigs: [{ name: web, sdsConfig: ads }],
      validationContextSdsSecretConfig: { name: "spiffe://weir.local", sdsConfig: ads },
    },
  };
  const manager = {
    "@type": extension("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: "in",
    httpFilters: [{ name: "router", typedConfig: { "@type": extension("filters.http.router.v3.Router") } }],
    routeConfig: {
      virtualHosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "welcome" } } }] }],
    },
  };
  const json = {
    name: "in",
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [{ transportSocket: { name: "tls", typedConfig: tls }, filters: [{ name: "http", typedConfig: manager }] }],
  };
  return encodeResource(typeUrls.listener, "in", messageFromJson(typeUrls.listener, json));
}

interface Shown {
  readonly chain: string;
  readonly key: string;
}

/** Opens a connection; throws when Envoy is not `web`, or its certificate is not trusted. */
async function dial(t: TestContext, port: number, roots: string, own: Shown): Promise<TLSSocket> {
  const options = { host: "127.0.0.1", port, ca: roots, cert: own.chain, key: own.key, checkServerIdentity: () => undefined };
  const socket = connect(options);
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "secureConnect"), once(socket, "close").then(() => Promise.reject(new Error("refused")))]);
  assert.equal(socket.getPeerX509Certificate()?.subjectAltName, `URI:${web}`);
  return socket;
}

/** Sends a request; "closed" when there is no answer, because in TLS 1.3 a client learns only now that it was refused. */
function get(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once("data", (bytes: Buffer) => resolve(/welcome/.exec(bytes.toString())?.[0] ?? bytes.toString()));
    socket.once("close", () => resolve("closed"));
    socket.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
  });
}

async function startEnvoy(t: TestContext, folder: string): Promise<void> {
  writeFileSync(path.join(folder, "bootstrap.json"), JSON.stringify(bootstrap(folder)));
  const out = openSync(path.join(folder, "envoy.log"), "w");
  const args = ["-c", path.join(folder, "bootstrap.json"), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"];
  const child = spawn(envoy, args, { stdio: ["ignore", out, out] });
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await once(child, "spawn");
}

test("Envoy takes secrets over SDS, knows friends from strangers, and a root is replaced without a dropped request", async (t) => {
  const folder = temporaryFolder(t);
  const ended = new AbortController();
  t.after(() => ended.abort());
  const alias = await createOwnCa("old.example" as TrustDomain, Date.now());
  const authority = await openCertificateAuthority({ clock: realClock, store: memoryStore(), trustDomain: defaultTrustDomain });
  authority.setAliases([{ trustDomain: "old.example" as TrustDomain, roots: [alias.root] }]);
  const wanted = new Cell<ReadonlySet<SpiffeId>>(new Set([web, cart]));
  let acknowledged = 0;
  const keeper = { clock: realClock, log: silentLog, wanted, client: createLocalClient(authority, "one"), random: Math.random, refreshMs: 100 };
  const held = keepNodeIdentities({ ...keeper, acknowledged: () => acknowledged }, ended.signal);
  const port = await freePort();
  const discovery = createAdsServer({ clock: realClock, log: silentLog });
  const server = createRpcServer({ clock: realClock, log: silentLog, methods: discovery.methods });
  t.after(() => server.close(0));
  await server.listen({ path: path.join(folder, "xds.sock") });
  const publish = async (identities: NodeIdentities): Promise<void> => {
    const secrets = encodeSecrets(identities).map(({ typeUrl, name, body }) => encodeResource(typeUrl, name, body));
    const revision = discovery.publish("node", createSnapshot([listener(port), ...secrets]));
    const result = await discovery.waitAcked("node", revision, AbortSignal.timeout(15_000));
    assert.deepEqual(result, { kind: "acked" }, readFileSync(path.join(folder, "envoy.log"), "utf8"));
    acknowledged = identities.revision;
  };
  await eventually(() => held.get().svids.size === 2, "certificates");
  await startEnvoy(t, folder);
  await publish(held.get());
  const shown = (): Shown => held.get().svids.get(cart) ?? assert.fail("no certificate");
  const roots = (): string => bundlePem(held.get().bundle ?? assert.fail("no roots"));
  const open = await dial(t, port, roots(), shown());

  await t.test("a friend is welcome; a stranger, an alias's friend and an alias that pretends are told apart", async () => {
    assert.equal(await get(open), "welcome");
    const as = async (signer: Signer, id: string) => get(await dial(t, port, roots(), await certified(signer, id)));
    const stranger = await createSigner(await createOwnCa(defaultTrustDomain, Date.now()));
    assert.equal(await as(stranger, cart), "closed");
    const other = await createSigner(alias);
    assert.equal(await as(other, "spiffe://old.example/ns/shop/sa/cart"), "welcome");
    assert.equal(await as(other, cart), "closed", "an alias's authority cannot make identities of ours");
  });

  await t.test("the root is replaced: the open connection goes on, and a new one works in every phase", async () => {
    const old = held.get().bundle?.own.roots[0]?.id;
    assert.ok((await authority.replaceSigner(await createOwnCa(defaultTrustDomain, Date.now()))).ok);
    const both = roots;
    await eventually(() => held.get().bundle?.own.roots.length === 2, "both roots", 10_000);
    assert.equal(await get(await dial(t, port, both(), shown())), "welcome");
    await publish(held.get());
    await eventually(() => authority.state.get().rotation.phase === "moving", "moving", 10_000);
    assert.equal(await get(await dial(t, port, roots(), shown())), "welcome");
    const before = shown();
    // New wishes get new certificates at once: in a day they all would be.
    wanted.set(new Set());
    await eventually(() => held.get().svids.size === 0, "no certificates");
    wanted.set(new Set([web, cart]));
    await eventually(() => held.get().svids.size === 2, "new certificates", 10_000);
    assert.notEqual(shown().chain, before.chain);
    await publish(held.get());
    await eventually(() => authority.state.get().rotation.phase === "stable", "stable", 10_000);
    await eventually(() => held.get().bundle?.own.roots.length === 1, "one root", 10_000);
    await publish(held.get());
    assert.notEqual(held.get().bundle?.own.roots[0]?.id, old);
    assert.equal(await get(await dial(t, port, roots(), shown())), "welcome");
    assert.equal(await get(await dial(t, port, roots(), before)), "closed", "nobody has the old root any longer");
    assert.equal(await get(open), "welcome");
  });
});
