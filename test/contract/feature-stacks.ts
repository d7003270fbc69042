/** One small stack for each thing a file can say about traffic, and which meshes can say it. Add a row with every new feature. */
import type { Mesh } from "../../src/emit/kubernetes/refusal.ts";
import type { AppName, Namespace, VersionName } from "../../src/model/names.ts";
import type { RouteMatch, RouteRule, Stack } from "../../src/model/types.ts";
import { job } from "../support/declared.ts";
import { anything, destination, external, noChanges, place, port, router, rule, service, stack } from "../support/stacks.ts";

export interface Feature {
  readonly name: string;
  readonly stack: Stack;
  /** Meshes that must refuse it; the others must express it. */
  readonly refusedBy: readonly Mesh[];
}

const everyMesh: readonly Mesh[] = ["istio", "linkerd", "gateway-api"];
const gatewayApis: readonly Mesh[] = ["linkerd", "gateway-api"];
const teamA = "team-a" as Namespace;
const two = [service("web", { public: false }), service("web@v2", { public: false })];

function feature(name: string, said: Partial<Stack>, refusedBy: readonly Mesh[] = []): Feature {
  return { name, stack: stack({ services: two, ...said }), refusedBy };
}

/** A feature of one rule, in a router that is not public unless it says so. */
function ofRule(name: string, one: RouteRule, refusedBy: readonly Mesh[] = []): Feature {
  return feature(name, { routers: [router("www", [one], { public: false })] }, refusedBy);
}

function ofMatch(name: string, match: Partial<RouteMatch>, refusedBy: readonly Mesh[] = []): Feature {
  return ofRule(name, rule("web", { match: [{ ...anything, ...match }] }), refusedBy);
}

function weights(...all: readonly number[]): Stack["weights"] {
  return all.map((weight, index) => ({ app: "web" as AppName, namespace: "default" as Namespace, version: `v${index + 1}` as VersionName, weight }));
}

function redirecting(redirect: Extract<RouteRule["action"], { kind: "redirect" }>["redirect"], match: readonly RouteMatch[] = []): RouteRule {
  return { ...rule("web", { match }), action: { kind: "redirect", redirect } };
}

const cookie = (name: string, value: RouteMatch["cookies"][number]["value"]): RouteMatch["cookies"][number] => ({ name, value });
const prefix = (value: string): readonly RouteMatch[] => [{ ...anything, path: { kind: "prefix", value } }];

export const features: readonly Feature[] = [
  feature("a public app with two versions", { services: [service("web"), service("web@v2")], weights: weights(9_000, 1_000) }),
  feature("weights finer than a percent", { weights: weights(9_995, 5) }),
  feature("a staged version", { weights: weights(10_000, 0) }),
  feature("several ports and protocols", { services: [service("web", { ports: ["80:8080/http", "81/http2", "9000/grpc", "5432/tcp"].map(port) })] }),
  feature("weighted TCP, public", { services: ["web", "web@v2"].map((ref) => service(ref, { ports: [port("5432/tcp")] })), weights: weights(5_000, 5_000) }),
  feature("an app without ports", { services: [...two, service("worker", { ports: [], public: false })] }),
  feature("two namespaces, called across", {
    services: [...two, service("api", { namespace: teamA })],
    routers: [router("www", [{ ...rule("web"), action: { kind: "forward", destinations: [{ to: destination("api", teamA), weight: 10_000 }] } }])],
  }),
  feature("a job", { jobs: [job("migrate", { image: "example.com/migrate:1", timeoutMs: 1_500, resources: { cpu: "100m", memory: "64Mi" } })] }),
  feature("a job by the clock", {
    jobs: [
      job("tick", {
        image: "example.com/tick:1",
        schedule: { cron: "*/5 * * * *", timeZone: "Europe/Berlin" },
        env: { A: { kind: "config", name: "c", key: "k" } },
        mounts: [{ kind: "secret", name: "s", key: "k", path: "/k" }],
      }),
    ],
  }),
  feature("a job without an image", { jobs: [job("migrate", { where: place(90) })] }, everyMesh),
  feature("a public router with hosts", { routers: [router("www", [rule("web")], { hosts: ["shop.example", "*.shop.example"] })] }),
  feature("a rule with weighted destinations", {
    routers: [
      router("www", [
        { ...rule("web"), action: { kind: "forward", destinations: ["web@v1", "web@v2"].map((ref) => ({ to: destination(ref), weight: 5_000 })) } },
      ]),
    ],
  }),
  ofMatch("match: exact path", { path: { kind: "exact", value: "/a" } }),
  ofMatch("match: path prefix", { path: { kind: "prefix", value: "/a" } }),
  ofMatch("match: path by pattern", { path: { kind: "regex", value: "/[a-z]+/[0-9]+" } }),
  ofMatch("match: methods", { methods: ["GET", "POST"] }),
  ofMatch("match: a method of WebDAV", { methods: ["PROPFIND"] }, gatewayApis),
  ofMatch("match: headers of every kind", {
    headers: [
      { name: "x-a", value: { kind: "exact", value: "1" } },
      { name: "x-b", value: { kind: "prefix", value: "b" } },
      { name: "x-c", value: { kind: "regex", value: "[0-9]+" } },
      { name: "x-d", value: { kind: "present" } },
    ],
  }),
  ofMatch("match: query of every kind", {
    query: [
      { name: "a", value: { kind: "exact", value: "1" } },
      { name: "b", value: { kind: "prefix", value: "b" } },
      { name: "c", value: { kind: "regex", value: "[0-9]+" } },
      { name: "d", value: { kind: "present" } },
    ],
  }),
  ofMatch("match: a cookie", { cookies: [cookie("group", { kind: "prefix", value: "b" })] }),
  ofMatch("match: a cookie by pattern", { cookies: [cookie("group", { kind: "regex", value: "b.*" })] }),
  ofMatch("match: a cookie by a pattern that leaves it", { cookies: [cookie("group", { kind: "regex", value: "\\S+" })] }, everyMesh),
  ofMatch("match: two cookies", { cookies: [cookie("a", { kind: "present" }), cookie("b", { kind: "present" })] }, everyMesh),
  ofRule("rewrite: the path of a prefix", rule("web", { match: prefix("/api") }, { rewrite: { path: "/" } }), ["linkerd"]),
  ofRule("rewrite: the host", rule("web", {}, { rewrite: { host: "other.example" } }), ["linkerd"]),
  ofRule("rewrite: by pattern", rule("web", {}, { rewrite: { regex: { pattern: "^/a/(.*)$", substitution: "/\\1" } } }), gatewayApis),
  ofRule("redirect: host and scheme", redirecting({ scheme: "https", host: "other.example", code: 301 })),
  ofRule("redirect: another port", redirecting({ host: "other.example", port: 8443, code: 302 })),
  ofRule("redirect: the whole path", redirecting({ path: "/new", code: 302 }, [{ ...anything, path: { kind: "exact", value: "/old" } }]), ["linkerd"]),
  ofRule("redirect: a prefix", redirecting({ path: "/new", code: 302 }, prefix("/old")), ["istio", "linkerd"]),
  ofRule("redirect: code 308", redirecting({ host: "other.example", code: 308 }), ["linkerd"]),
  ofRule(
    "header changes",
    rule("web", {
      requestHeaders: { add: [{ name: "x-a", value: "1%" }], set: [{ name: "x-s", value: "2" }], remove: ["x-r"] },
      responseHeaders: { ...noChanges, remove: ["server"] },
    }),
  ),
  ofRule("timeout", rule("web", {}, { timeoutMs: 1_500 })),
  ofRule("retries on answers", rule("web", {}, { retries: { attempts: 2, perTryTimeoutMs: 500, on: ["5xx", "gateway-error"] } }), ["gateway-api"]),
  ofRule("retries on connections", rule("web", {}, { retries: { attempts: 2, on: ["reset"] } }), gatewayApis),
  ofRule("no retries", rule("web", {}, { retries: { attempts: 0, on: [] } })),
  feature("retries at the gateway", { routers: [router("www", [rule("web", {}, { retries: { attempts: 2, on: ["5xx"] } })])] }, gatewayApis),
  feature(
    "a general rule before a special one",
    { routers: [router("www", [rule("web@v2", { match: prefix("/a") }), rule("web", { match: prefix("/a/b") })])] },
    gatewayApis,
  ),
  feature("external: addresses", { externals: [external("db", ["10.0.0.5:5432", "10.0.0.6:5432", "fd00::1:5432"])] }),
  feature("external: a name", { externals: [external("db", ["db.example.com:5432"])] }),
  feature("external: a name on another port", { externals: [external("api", ["api.example.com:8443"], { ports: [port("80/http")] })] }, gatewayApis),
  feature(
    "external: TLS on the way",
    { externals: [external("pay", ["pay.example.com:443"], { ports: [port("80/http")], tls: { serverName: "pay.example.com" } })] },
    gatewayApis,
  ),
  feature("external: the machine's loopback", { externals: [external("db", ["localhost:5432"])] }, everyMesh),
  feature("a rule to an external service", {
    externals: [external("old", ["10.0.0.9:80"], { ports: [port("80/http")] })],
    routers: [router("www", [rule("external:old")])],
  }),
];
