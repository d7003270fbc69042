/**
 * Walks emitted Envoy configuration as Envoy would (listener, chain, virtual host, route, cluster, endpoints), through both Envoys, so that a test says
 * "this call reaches that version". It reads nothing but what was emitted, and names and addresses of hosts, which are DNS's.
 */
import assert from "node:assert/strict";
import type { FilterChain } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { ConfigSchema as SetFilterStateSchema } from "../../gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js";
import { type TcpProxy, TcpProxySchema } from "../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { HeaderMutationSchema } from "../../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js";
import type { MeshPlan } from "../../src/compile/mesh-plan.ts";
import { emitEnvoy } from "../../src/emit/envoy/emit.ts";
import { chooseChain, type Destination } from "./chain.ts";
import { act, type Outcome } from "./outcome.ts";
import { addressText, decodeProxy, must, type Proxy, unpack } from "./proxy.ts";
import { chooseRoute, chooseVirtualHost, type Request } from "./route.ts";

export interface Call {
  /** A workload; absent: from outside, through the gateway. */
  readonly from?: string;
  /** `http://web/x`, `tcp://db:5432`; from outside also `http://web.localhost:8080/`. A host that is no name of the mesh must be an address. */
  readonly to: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Simulator {
  /** Walks a call. Throws when the configuration is broken, not when the call fails: that is an outcome. */
  call(call: Call): Outcome;
  /** The addresses that a cluster of the node Envoy leads to in the end, through the gateway Envoy if need be. */
  addresses(cluster: string): readonly string[];
  expectCall(call: Call): Expectation;
}

export interface Expectation {
  /** `web@v1`, `web@v1.team-a`, `external/db`, or percentages of several. Every other backend gets exactly nothing. */
  reaches(expected: string | Readonly<Record<string, number>>): Extract<Outcome, { kind: "forward" }>;
  answers(status: number, text: RegExp): void;
  redirects(status: number, location: string): void;
  isClosed(): void;
}

/** A simulator of both Envoys with what the emitter makes of `plan`. */
export function simulate(plan: MeshPlan): Simulator {
  const emitted = emitEnvoy(plan);
  const [node, gateway] = [decodeProxy(emitted.node), decodeProxy(emitted.gateway)];
  const call = (wanted: Call): Outcome =>
    wanted.from === undefined ? fromOutside(wanted, plan, node, gateway) : fromWorkload(wanted, plan, node, wanted.from);
  const addresses = (cluster: string): readonly string[] => addressesOf(cluster, node, gateway);
  return { call, addresses, expectCall: (wanted) => expectation(wanted, call(wanted)) };
}

function fromOutside(call: Call, plan: MeshPlan, node: Proxy, gateway: Proxy): Outcome {
  const url = new URL(call.to);
  const port = Number(url.port === "" ? plan.gateway.port : url.port);
  const listener = listenerAt(gateway, `${plan.gateway.address}:${port}`);
  if (listener === undefined) return { kind: "closed" };
  const destination = { ip: plan.gateway.address, port };
  const cluster = tcpCluster(must(chooseChain(listener, destination), "the gateway has no chain"));
  const socket = must(addressesIn(gateway, cluster)[0], `cluster ${cluster} has no endpoint`);
  return arrive(must(listenerAt(node, socket), `nobody listens on ${socket}`), node, destination, requestOf(call, url));
}

function fromWorkload(call: Call, plan: MeshPlan, node: Proxy, workload: string): Outcome {
  const url = new URL(call.to);
  const listener = must(node.listeners.get(`capture/${workload}`), `workload ${workload} is not captured`);
  const capture = must(
    plan.captures.find((one) => one.workload === workload),
    `workload ${workload} is not captured`,
  );
  const [name = "", namespace = capture.namespace] = url.hostname.split(".");
  const host = plan.hosts.find((one) => one.name === name && one.namespace === namespace);
  const destination = { ip: host?.address ?? url.hostname, port: Number(url.port === "" ? 80 : url.port) };
  return arrive(listener, node, destination, requestOf(call, url));
}

function requestOf(call: Call, url: URL): Request {
  const headers = Object.fromEntries(Object.entries(call.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  return { method: call.method ?? "GET", authority: headers["host"] ?? url.host, path: url.pathname + url.search, headers };
}

function listenerAt(proxy: Proxy, address: string): Listener | undefined {
  return [...proxy.listeners.values()].find((listener) => addressText(listener.address) === address);
}

/** What happens to a connection, and the request on it, at a listener. */
function arrive(listener: Listener, proxy: Proxy, destination: Destination, request: Request): Outcome {
  const chain = chooseChain(listener, destination);
  if (chain === undefined) return { kind: "closed" };
  const manager = filterOf(chain, HttpConnectionManagerSchema);
  return manager === undefined
    ? tcpOutcome(must(filterOf(chain, TcpProxySchema), `chain ${chain.name} leads nowhere`), request)
    : http(manager, proxy, notesOf(chain, destination), request);
}

function filterOf<Schema extends typeof HttpConnectionManagerSchema | typeof TcpProxySchema>(chain: FilterChain, schema: Schema) {
  const last = chain.filters.at(-1)?.configType;
  return last?.case === "typedConfig" ? unpack(schema, last.value) : undefined;
}

function tcpCluster(chain: FilterChain): string {
  const specifier = must(filterOf(chain, TcpProxySchema), `chain ${chain.name} is no TCP proxy`).clusterSpecifier;
  if (specifier.case !== "cluster") throw new Error(`chain ${chain.name} has several clusters`);
  return specifier.value;
}

function tcpOutcome({ clusterSpecifier }: TcpProxy, request: Request): Outcome {
  const weighted = clusterSpecifier.case === "weightedClusters" ? clusterSpecifier.value.clusters : [{ name: String(clusterSpecifier.value), weight: 1 }];
  const total = weighted.reduce((sum, one) => sum + one.weight, 0);
  return {
    kind: "forward",
    shares: weighted.map(({ name, weight }) => ({ cluster: name, share: weight / total, request })),
    timeoutMs: 0,
    retryOn: "",
    responseHeaders: {},
  };
}

function http(manager: HttpConnectionManager, proxy: Proxy, notes: ReadonlyMap<string, string>, request: Request): Outcome {
  const name = manager.routeSpecifier.case === "rds" ? manager.routeSpecifier.value.routeConfigName : "";
  const configuration = must(proxy.routes.get(name), `there are no routes ${name}`);
  const seen = { ...request, headers: { ...request.headers, ...earlyHeaders(manager) } };
  const virtualHost = must(chooseVirtualHost(configuration, seen), `routes ${name} have no virtual host for the rest`);
  const route = must(chooseRoute(virtualHost, seen, notes), `virtual host ${virtualHost.name} has no route for the rest`);
  const outcome = act(configuration, route, seen);
  if (outcome.kind === "forward")
    for (const { cluster } of outcome.shares) must(proxy.clusters.get(cluster), `route ${route.name} leads to ${cluster}, which is not there`);
  return outcome;
}

/** What the chain's filters note about the connection, with the formatters we use. */
function notesOf(chain: FilterChain, { ip, port }: Destination): ReadonlyMap<string, string> {
  const configs = chain.filters.flatMap(({ configType }) => (configType.case === "typedConfig" ? [unpack(SetFilterStateSchema, configType.value)] : []));
  const values: Readonly<Record<string, string>> = { "%DOWNSTREAM_LOCAL_ADDRESS%": `${ip}:${port}`, "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%": ip };
  return new Map(
    configs
      .flatMap((config) => config?.onNewConnection ?? [])
      .map(({ key, value }) => {
        const source = value.case === "formatString" && value.value.format.case === "textFormatSource" ? value.value.format.value.specifier.value : "";
        const text = typeof source === "string" ? source : "";
        return [String(key.value), values[text] ?? text];
      }),
  );
}

/** Headers that the connection manager writes over the caller's, with the formatters we use. */
function earlyHeaders(manager: HttpConnectionManager): Readonly<Record<string, string>> {
  const mutations = manager.earlyHeaderMutationExtensions.flatMap((extension) => unpack(HeaderMutationSchema, extension.typedConfig)?.mutations ?? []);
  const headers = mutations.flatMap(({ action }) => (action.case === "append" && action.value.header !== undefined ? [action.value.header] : []));
  const values: Readonly<Record<string, string>> = { "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%": "192.0.2.1" };
  return Object.fromEntries(headers.map(({ key, value }) => [key, must(values[value], `the simulator does not know ${value}`)]));
}

function addressesIn(proxy: Proxy, name: string): readonly string[] {
  const cluster = must(proxy.clusters.get(name), `there is no cluster ${name}`);
  const assignment = cluster.loadAssignment ?? must(proxy.assignments.get(name), `cluster ${name} has no endpoints' list`);
  const endpoints = assignment.endpoints.flatMap((group) => group.lbEndpoints).map((endpoint) => endpoint.hostIdentifier);
  return endpoints.map((identifier) => addressText(identifier.case === "endpoint" ? identifier.value.address : undefined));
}

function addressesOf(cluster: string, node: Proxy, gateway: Proxy): readonly string[] {
  return addressesIn(node, cluster).flatMap((address) => {
    if (!address.endsWith(".sock")) return [address];
    const listener = must(listenerAt(gateway, address), `nobody listens on ${address}`);
    return addressesIn(gateway, tcpCluster(must(listener.filterChains[0], `${listener.name} has no chain`)));
  });
}

function expectation(wanted: Call, outcome: Outcome): Expectation {
  const told = `${wanted.method ?? "GET"} ${wanted.to} from ${wanted.from ?? "outside"}: ${JSON.stringify(outcome)}`;
  return {
    reaches(expected) {
      assert.equal(outcome.kind, "forward", told);
      const found = new Map<string, number>();
      for (const { cluster, share } of outcome.shares) found.set(backendName(cluster), (found.get(backendName(cluster)) ?? 0) + share * 100);
      const percentages = Object.fromEntries([...found].map(([name, share]) => [name, Number(share.toFixed(2))]));
      assert.deepEqual(percentages, typeof expected === "string" ? { [expected]: 100 } : expected, told);
      return outcome;
    },
    answers(status, text) {
      assert.equal(outcome.kind, "answer", told);
      assert.equal(outcome.status, status, told);
      assert.match(outcome.text, text);
    },
    redirects(status, location) {
      assert.deepEqual(outcome, { kind: "redirect", status, location }, told);
    },
    isClosed() {
      assert.equal(outcome.kind, "closed", told);
    },
  };
}

/** `web@v1.default:80` is `web@v1`; other namespaces are told. */
function backendName(cluster: string): string {
  return cluster.replace(/:\d+$/, "").replace(/\.default$/, "");
}
