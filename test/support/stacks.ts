/** Stacks for tests without a file: every builder fills in what the test does not care about. */
import { compileWorld } from "../../src/compile/compile.ts";
import type { MeshPlan } from "../../src/compile/mesh-plan.ts";
import { worldOfStack } from "../../src/compile/world-of-stack.ts";
import type { SourcePlace } from "../../src/lib/problem.ts";
import { type AppName, defaultNamespace, type Namespace, type VersionName } from "../../src/model/names.ts";
import type { DestinationRef, ExternalService, HeaderChanges, Port, RouteMatch, RouteRule, Router, Service, Stack } from "../../src/model/types.ts";

export const noChanges: HeaderChanges = { add: [], set: [], remove: [] };
export const anything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

/** A service `web@v1` of the default namespace with port 80:8080/http, public, unless `said` otherwise. */
export function service(ref: string, said: Partial<Service> = {}): Service {
  const [app = "", version = "v1"] = ref.split("@");
  return {
    namespace: defaultNamespace,
    app: app as AppName,
    version: version as VersionName,
    command: ["true"],
    dir: "/",
    env: {},
    ports: [port("80:8080/http")],
    public: true,
    health: {},
    scale: 1,
    mounts: [],
    drainMs: 30_000,
    graceMs: 10_000,
    stopSignal: "SIGTERM",
    egress: false,
    ...said,
  };
}

/** Reads `80:8080/http` and its short forms. */
export function port(text: string): Port {
  const [numbers = "", protocol = "http"] = text.split("/");
  const [outer, inner = outer] = numbers.split(":").map(Number);
  return { port: outer ?? 0, containerPort: inner ?? 0, protocol: protocol as Port["protocol"] };
}

/** `web`, `web@v2`, or `{external: db}` written as `external:db`. */
export function destination(ref: string, namespace: Namespace = defaultNamespace): DestinationRef {
  if (ref.startsWith("external:")) return { kind: "external", namespace, name: ref.slice("external:".length) };
  const [name = "", version] = ref.split("@");
  return version === undefined ? { kind: "app", namespace, name } : { kind: "version", namespace, name, version: version as VersionName };
}

/** The line of a rule in the file that the test pretends to have: a refusal must name it. */
export function place(line: number): SourcePlace {
  return { file: "weir.yaml", line, column: 7 };
}

/** What `rule` may be told about a forward. */
type Forward = Partial<Extract<RouteRule["action"], { kind: "forward" }>>;

/** A rule that forwards everything to `to`; `said` and `forward` replace parts. */
export function rule(to: string, said: Partial<RouteRule> = {}, forward: Forward = {}): RouteRule {
  const destinations = [{ to: destination(to), weight: 10_000 }];
  return { match: [], action: { kind: "forward", destinations, ...forward }, requestHeaders: noChanges, responseHeaders: noChanges, ...said };
}

/** A public router; its rules stand on lines 10, 20, … unless they say. */
export function router(name: string, rules: readonly RouteRule[], said: Partial<Router> = {}): Router {
  const placed = rules.map((one, index) => ({ where: place(10 * (index + 1)), ...one }));
  return { namespace: defaultNamespace, name, hosts: [], public: true, rules: placed, where: place(5), ...said };
}

/** An external service at `endpoints` (`HOST:PORT`). */
export function external(name: string, endpoints: readonly string[], said: Partial<ExternalService> = {}): ExternalService {
  const parsed = endpoints.map((text) => {
    const cut = text.lastIndexOf(":");
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  return { namespace: defaultNamespace, name, endpoints: parsed, ports: [port(`${parsed[0]?.port}/tcp`)], where: place(90), ...said };
}

/** A stack of the given parts. */
export function stack(said: Partial<Stack>): Stack {
  return { name: "test", namespaces: [], services: [], jobs: [], weights: [], routers: [], externals: [], configs: [], secrets: [], ...said };
}

/** The plan of a stack with nothing running. Throws when the compiler finds a problem. */
export function planOf(said: Partial<Stack>): MeshPlan {
  const { plan, problems } = compileWorld(worldOfStack(stack(said)));
  if (problems.length > 0) throw new Error(JSON.stringify(problems, undefined, 2));
  return plan;
}
