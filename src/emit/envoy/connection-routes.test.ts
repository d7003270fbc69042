/** Routes of whole connections in front of an app's ports, as the Envoy of a node gets them: shares, server names, what is refused, and who calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Listener } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { ConfigSchema as SetFilterStateSchema } from "../../../gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js";
import { TcpProxySchema } from "../../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { chooseChain } from "../../../test/simulate/chain.ts";
import { decodeProxy, must, type Proxy, unpack } from "../../../test/simulate/proxy.ts";
import { assertConsistent } from "../../../test/support/emitted.ts";
import { meshOf, pinnedPod } from "../../../test/support/node-mesh.ts";
import { runningWorld } from "../../../test/support/running-world.ts";
import { destination, port, service, stack } from "../../../test/support/stacks.ts";
import { type Compiled, compileWorld } from "../../compile/compile.ts";
import { compileNode } from "../../compile/node-plan.ts";
import type { GatewayTarget } from "../../model/gateway.ts";
import type { AppKey, Namespace } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/service-route.ts";
import { emitNodeProxy } from "./node-proxy.ts";

const far = "far" as Namespace;
const ports = [port("5432/tcp")];
const services = [service("db", { ports: [...ports, port("443/tcp"), port("80/http")] }), service("one", { ports }), service("two", { ports })];
const world = runningWorld(stack({ services }), []);
const mesh = meshOf([pinnedPod("web-1", "a", "10.0.0.1"), pinnedPod("web-2", "a", "10.0.0.2", { namespace: far })]);

function targetOf(shares: Readonly<Record<string, number>>, refused = 0): GatewayTarget {
  return { destinations: Object.entries(shares).map(([name, weight]) => ({ to: { ...destination(name), port: 5432 }, weight })), refused };
}

function compiled(routes: readonly ServiceRoute[], before?: Compiled): Compiled {
  return compileWorld({ ...world, serviceRoutes: new Map([["default/db" as AppKey, routes]]) }, before);
}

function proxyWith(...routes: readonly ServiceRoute[]): Proxy {
  const emitted = emitNodeProxy(compileNode(compiled(routes).plan, mesh, "a"));
  assertConsistent(emitted);
  return decodeProxy(emitted);
}

const chainAt = (proxy: Proxy, number: number, pod = "web-1") => {
  const ip = compiled([]).plan.hosts.find(({ name }) => name === "db")?.address ?? "";
  return must(chooseChain(must(proxy.listeners.get(`out/${pod}`), "listener"), { ip, port: number }), "chain");
};

type Chain = Listener["filterChains"][number];

/** `one@v1.default:5432 7000, refused 3000` */
function leads({ filters }: Chain): string {
  const last = filters.at(-1)?.configType;
  const { clusterSpecifier } = must(last?.case === "typedConfig" ? unpack(TcpProxySchema, last.value) : undefined, "TCP proxy");
  if (clusterSpecifier.case === "cluster") return clusterSpecifier.value;
  return must(clusterSpecifier.case === "weightedClusters" ? clusterSpecifier.value : undefined, "clusters")
    .clusters.map(({ name, weight }) => `${name} ${weight}`)
    .join(", ");
}

test("shares of connections; what is refused, and what is not there, keeps its share and leads to nobody", () => {
  const at = (target: GatewayTarget): string => leads(chainAt(proxyWith({ kind: "tcp", port: 5432, target }), 5432));
  assert.equal(at(targetOf({ one: 7_500, two: 2_500 })), "one@v1.default:5432 7500, two@v1.default:5432 2500");
  assert.equal(at(targetOf({ one: 6_000, two: 2_000 }, 2_000)), "one@v1.default:5432 6000, two@v1.default:5432 2000, refused 2000");
  assert.equal(at(targetOf({ one: 6_000, gone: 4_000 })), "one@v1.default:5432 6000, refused 4000");
  assert.equal(at(targetOf({}, 10_000)), "refused");
  assert.equal(at(targetOf({ gone: 10_000 })), "refused");
  assert.equal(at(targetOf({ one: 10_000 })), "one@v1.default:5432");
  const proxy = proxyWith({ kind: "tcp", port: 5432, target: targetOf({ one: 10_000 }) });
  assert.equal(leads(chainAt(proxy, 443)), "db@v1.default:443", "other ports stay as they are");
});

test("a port that speaks HTTP is one of whole connections when a route says so", () => {
  const proxy = proxyWith({ kind: "tcp", port: 80, target: targetOf({ two: 10_000 }) });
  assert.equal(leads(chainAt(proxy, 80)), "two@v1.default:5432");
});

const secure: ServiceRoute = {
  kind: "tls",
  port: 443,
  servers: [
    { domain: "*.example", target: targetOf({ two: 10_000 }) },
    { domain: "a.example", target: targetOf({ one: 10_000 }) },
  ],
};

test("server names are read by a listener of the port's own inside Envoy; what asks for none of them is closed there", () => {
  const proxy = proxyWith(secure);
  const name = "names/db.default:443";
  assert.equal(leads(chainAt(proxy, 443)), name);
  const place = proxy.clusters.get(name)?.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
  const address = place?.case === "endpoint" ? place.value.address?.address : undefined;
  assert.deepEqual(address?.case === "envoyInternalAddress" ? address.value.addressNameSpecifier.value : "", name);
  const inside = must(proxy.listeners.get(name), "listener");
  assert.deepEqual([inside.listenerSpecifier.case, inside.address, inside.defaultFilterChain], ["internalListener", undefined, undefined]);
  assert.deepEqual(
    inside.filterChains.map((chain) => [chain.filterChainMatch?.transportProtocol, chain.filterChainMatch?.serverNames, leads(chain)]),
    [
      ["tls", ["*.example"], "two@v1.default:5432"],
      ["tls", ["a.example"], "one@v1.default:5432"],
    ],
  );
  const any = proxyWith({ ...secure, servers: [{ domain: "*", target: targetOf({ one: 10_000 }) }] }).listeners.get(name);
  assert.deepEqual(any?.filterChains[0]?.filterChainMatch?.serverNames, [], "also without a name");
});

test("who calls goes on through the listener inside, and nowhere else", () => {
  const proxy = proxyWith(secure);
  const shared = (chain: Chain): readonly number[] => {
    const first = chain.filters[0]?.configType;
    const noted = first?.case === "typedConfig" ? unpack(SetFilterStateSchema, first.value)?.onNewConnection : undefined;
    return (noted ?? []).filter(({ key }) => key.value?.includes("certificate") === true).map(({ sharedWithUpstream }) => sharedWithUpstream);
  };
  assert.deepEqual([shared(chainAt(proxy, 443)), shared(chainAt(proxy, 5432))], [[2], [1]]);
});

test("callers of a namespace with a route of its own go by that, everybody else by the other; what they share is there once", () => {
  const proxy = proxyWith(secure, { kind: "tls", port: 443, callers: far, servers: [{ domain: "*", target: targetOf({ one: 10_000 }) }] });
  assert.deepEqual(
    ["web-1", "web-2"].map((pod) => leads(chainAt(proxy, 443, pod))),
    ["names/db.default:443", "names/far/db.default:443"],
  );
  const both = proxyWith(secure, { kind: "tcp", port: 5432, callers: far, target: targetOf({ one: 10_000 }) });
  assert.deepEqual(
    ["web-1", "web-2"].map((pod) => [leads(chainAt(both, 443, pod)), leads(chainAt(both, 5432, pod))]),
    [
      ["names/db.default:443", "db@v1.default:5432"],
      ["names/db.default:443", "one@v1.default:5432"],
    ],
  );
  assert.equal([...both.listeners.keys()].filter((name) => name.startsWith("names/")).length, 1);
});

test("what did not change is the same object; a change behind a name changes that listener alone", () => {
  const routes = [secure, { kind: "tcp", port: 5432, target: targetOf({ one: 10_000 }) } as const];
  const before = compiled(routes);
  const node = compileNode(before.plan, mesh, "a");
  const first = emitNodeProxy(node);
  const same = emitNodeProxy(compileNode(compiled(routes, before).plan, mesh, "a", node));
  assert.ok(same.every((one, at) => one === first[at]));
  const other = emitNodeProxy(compileNode(compiled([{ ...secure, servers: secure.servers.slice(1) }, routes[1] ?? secure], before).plan, mesh, "a", node));
  const digest = (list: typeof first) => new Map(list.map((one) => [`${one.typeUrl} ${one.name}`, Buffer.from(one.body).toString("base64")]));
  const known = digest(first);
  assert.deepEqual(
    [...digest(other)].filter(([key, body]) => known.get(key) !== body).map(([key]) => key.slice(key.indexOf(" ") + 1)),
    ["names/db.default:443"],
  );
});
