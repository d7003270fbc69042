/** The discovery server over real streams, with simulated proxies. */
import path from "node:path";
import type { TestContext } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.js";
import { type ClientCall, connectRpc } from "../../src/rpc/client.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { type AdsServer, createAdsServer } from "../../src/xds/server.ts";
import { createSnapshot, type Snapshot } from "../../src/xds/snapshot.ts";
import { typeUrls } from "../../src/xds/type-urls.ts";
import type { DeltaRequest } from "../../src/xds/wire.ts";
import { FakeProxy, type FakeProxyOptions, resource } from "./fake-proxy.ts";
import { realClock, silentLog, temporaryFolder } from "./real.ts";

const { cluster, endpoints, listener, route } = typeUrls;
const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** A listener, its table of `routes`, and their clusters and endpoints; `content` makes endpoints differ. */
export function mesh(content: string, routes: readonly string[] = ["web"]): Snapshot {
  const all = ["web", ...routes.filter((name) => name !== "web")];
  return createSnapshot([
    ...all.flatMap((name) => [resource(cluster, name), resource(endpoints, name, [], content)]),
    resource(listener, "in", ["table"]),
    resource(route, "table", routes),
  ]);
}

/** A request as bytes. */
export function encode(request: DeltaRequest): Uint8Array {
  const message = create(DeltaDiscoveryRequestSchema, {
    node: { id: request.nodeId },
    typeUrl: request.typeUrl,
    resourceNamesSubscribe: [...request.subscribe],
    resourceNamesUnsubscribe: [...request.unsubscribe],
    initialResourceVersions: Object.fromEntries(request.initialVersions),
    responseNonce: request.nonce,
    ...(request.error === undefined ? {} : { errorDetail: { code: 13, message: request.error } }),
  });
  return toBinary(DeltaDiscoveryRequestSchema, message);
}

/** A server for one test, and a way to open streams to it. */
export async function useAds(t: TestContext, subscriptionGraceMs = 2000) {
  const ads = createAdsServer({ clock: realClock, log: silentLog, subscriptionGraceMs });
  const server = createRpcServer({ clock: realClock, log: silentLog, methods: ads.methods });
  t.after(() => server.close(0));
  const address = await server.listen({ path: path.join(temporaryFolder(t), "xds.sock") });
  const connect = (): ClientCall => {
    const client = connectRpc({ clock: realClock, target: address });
    t.after(() => client.close());
    return client.stream(method);
  };
  return { ads, server, connect };
}

/** Runs a proxy on a stream until the stream ends. */
async function run(proxy: FakeProxy, call: ClientCall): Promise<void> {
  const send = async (requests: readonly DeltaRequest[]): Promise<void> => {
    for (const request of requests) await call.write([encode(request)]);
  };
  await send(proxy.connect());
  for await (const bytes of call.messages) {
    const { typeUrl, nonce, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const updates = resources.map(({ name, version, resource: any }) => ({ name, version, body: any?.value ?? new Uint8Array(0) }));
    await send(proxy.receive({ typeUrl, nonce, updates, removed: removedResources }));
  }
}

/** Starts a proxy; returns it and a way to cut its stream. */
export function start(connect: () => ClientCall, options: FakeProxyOptions = {}, proxy = new FakeProxy(options)) {
  const call = connect();
  const ended = run(proxy, call).catch(() => undefined);
  return { proxy, call, cut: () => (call.cancel(), ended) };
}

/** What becomes of a revision within 5 s. */
export function acked(ads: AdsServer, revision: number, nodeId = "node") {
  return ads.waitAcked(nodeId, revision, AbortSignal.timeout(5000));
}
