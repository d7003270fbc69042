/** Declared values of all shapes, for property tests of what writes them down. */
import fc from "fast-check";
import { adoptedKinds, adopts } from "../../src/model/adopted.ts";
import type { DeclaredApp, DeclaredService, Shares } from "../../src/model/declared.ts";
import type { ClusterKind } from "../../src/model/declared-kinds.ts";
import { type AppName, appKey, type Namespace, objectKey, type VersionName, versionKey } from "../../src/model/names.ts";
import type {
  Config,
  DestinationRef,
  EnvValue,
  ExternalService,
  HeaderChanges,
  Job,
  Port,
  Probe,
  ProbeKind,
  Redirect,
  RouteAction,
  RouteMatch,
  RouteRule,
  Router,
  Service,
  TextMatch,
} from "../../src/model/types.ts";
import type { ClusterPut } from "../../src/providers/kubernetes/translate-declared.ts";

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
const text = fc.string({ maxLength: 8 });
const count = fc.nat({ max: 100_000 });
const texts = fc.array(text, { maxLength: 3 });
const textMap = fc.dictionary(
  text.filter((key) => key !== "__proto__"),
  text,
  { maxKeys: 3 },
);
const namespace = label as fc.Arbitrary<Namespace>;
const versionName = label as fc.Arbitrary<VersionName>;
const some = { requiredKeys: [] };

const port: fc.Arbitrary<Port> = fc.record({ port: count, containerPort: count, protocol: fc.constantFrom("http", "http2", "grpc", "tcp") });
const check: fc.Arbitrary<ProbeKind> = fc.oneof(
  fc.record({ kind: fc.constant("http" as const), path: text, port: count, headers: textMap }),
  fc.record({ kind: fc.constant("tcp" as const), port: count }),
  fc.record({ kind: fc.constant("grpc" as const), port: count, service: text }),
  fc.record({ kind: fc.constant("exec" as const), command: texts }),
);
const probe: fc.Arbitrary<Probe> = fc.record({
  check,
  initialDelayMs: count,
  intervalMs: count,
  timeoutMs: count,
  failureThreshold: count,
  successThreshold: count,
});
const envValue: fc.Arbitrary<EnvValue> = fc.oneof(
  fc.record({ kind: fc.constant("literal" as const), value: text }),
  fc.record({ kind: fc.constantFrom("config" as const, "secret" as const), name: label, key: text }),
);
const service: fc.Arbitrary<Service> = fc.record(
  {
    namespace,
    app: label as fc.Arbitrary<AppName>,
    version: versionName,
    image: text,
    adopted: fc.tuple(fc.constantFrom(...adoptedKinds), label, textMap).map(([kind, name, selector]) => adopts({ kind, name }, selector)),
    command: texts,
    dir: text,
    env: fc.dictionary(label, envValue, { maxKeys: 3 }),
    ports: fc.array(port, { maxLength: 3 }),
    public: fc.boolean(),
    health: fc.record({ start: probe, ready: probe, live: probe }, some),
    scale: count,
    mounts: fc.array(fc.record({ kind: fc.constantFrom("config", "secret"), name: label, key: text, path: text }, { requiredKeys: ["kind", "name", "path"] }), {
      maxLength: 2,
    }),
    drainMs: count,
    graceMs: count,
    stopSignal: text,
    egress: fc.boolean(),
  },
  {
    requiredKeys: [
      "namespace",
      "app",
      "version",
      "command",
      "dir",
      "env",
      "ports",
      "public",
      "health",
      "scale",
      "mounts",
      "drainMs",
      "graceMs",
      "stopSignal",
      "egress",
    ],
  },
);
const declaredService: fc.Arbitrary<DeclaredService> = fc.record({ service, origin: fc.constantFrom("file", "command"), restarts: count });

const shares: fc.Arbitrary<Shares> = fc.dictionary(label, count, { maxKeys: 3 });
const app: fc.Arbitrary<DeclaredApp> = fc.record(
  {
    namespace,
    app: label as fc.Arbitrary<AppName>,
    weights: shares,
    rollout: fc.record({ from: shares, startedAt: count, durationMs: count }),
    history: fc.array(fc.record({ revision: count, at: count, change: text, weights: shares, durationMs: count }), { maxLength: 3 }),
  },
  { requiredKeys: ["namespace", "app", "weights", "history"] },
);

const textMatch: fc.Arbitrary<Exclude<TextMatch, { kind: "present" }>> = fc.record({ kind: fc.constantFrom("exact", "prefix", "regex"), value: text });
const named = fc.array(fc.record({ name: text, value: fc.oneof(textMatch, fc.constant({ kind: "present" as const })) }), { maxLength: 2 });
const match: fc.Arbitrary<RouteMatch> = fc.record(
  { path: textMatch, methods: texts, headers: named, query: named, cookies: named },
  { requiredKeys: ["methods", "headers", "query", "cookies"] },
);
const pairs = fc.array(fc.record({ name: text, value: text }), { maxLength: 2 });
const changes: fc.Arbitrary<HeaderChanges> = fc.record({ add: pairs, set: pairs, remove: texts });
const destination: fc.Arbitrary<DestinationRef> = fc.record(
  { kind: fc.constantFrom("app", "version", "external"), namespace, name: label, version: versionName, port: count },
  { requiredKeys: ["kind", "namespace", "name"] },
);
const redirect: fc.Arbitrary<Redirect> = fc.record(
  { scheme: fc.constantFrom("http", "https"), host: text, port: count, path: text, fullPath: text, code: fc.constantFrom(301, 302, 303, 307, 308) },
  { requiredKeys: ["code"] },
);
const action: fc.Arbitrary<RouteAction> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("forward" as const),
      destinations: fc.array(
        fc.record({ to: destination, weight: count, requestHeaders: changes, responseHeaders: changes }, { requiredKeys: ["to", "weight"] }),
        {
          maxLength: 3,
        },
      ),
      rewrite: fc.record({ host: text, path: text, fullPath: text, regex: fc.record({ pattern: text, substitution: text }) }, some),
      timeoutMs: count,
      retries: fc.record({ attempts: count, perTryTimeoutMs: count, on: texts }, { requiredKeys: ["attempts", "on"] }),
      tryTimeoutMs: count,
      mirrors: fc.array(fc.record({ to: destination, share: count }), { maxLength: 2 }),
      refused: count,
    },
    { requiredKeys: ["kind", "destinations"] },
  ),
  fc.record({ kind: fc.constant("redirect" as const), redirect }),
);
const rule: fc.Arbitrary<RouteRule> = fc.record({ match: fc.array(match, { maxLength: 2 }), action, requestHeaders: changes, responseHeaders: changes });
const router: fc.Arbitrary<Router> = fc.record({ namespace, name: label, hosts: texts, public: fc.boolean(), rules: fc.array(rule, { maxLength: 2 }) });
const external: fc.Arbitrary<ExternalService> = fc.record(
  {
    namespace,
    name: label,
    endpoints: fc.array(fc.record({ host: text, port: count }), { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 2 }),
    tls: fc.record({ serverName: text }),
  },
  { requiredKeys: ["namespace", "name", "endpoints", "ports"] },
);
const config: fc.Arbitrary<Config> = fc.record({ namespace, name: label, data: textMap });

const job: fc.Arbitrary<Job> = fc.record(
  {
    namespace,
    name: label as fc.Arbitrary<AppName>,
    image: text,
    command: texts,
    dir: text,
    env: fc.dictionary(label, envValue, { maxKeys: 2 }),
    mounts: fc.array(
      fc.record(
        { kind: fc.constantFrom("config" as const, "secret" as const), name: label, key: text, path: text },
        { requiredKeys: ["kind", "name", "path"] },
      ),
      { maxLength: 2 },
    ),
    graceMs: count,
    stopSignal: text,
    egress: fc.boolean(),
    schedule: fc.record({ cron: text, timeZone: text }),
    retries: count,
    timeoutMs: count,
    concurrency: fc.constantFrom("forbid", "allow", "replace"),
    keep: count,
    resources: fc.record({ cpu: fc.constantFrom("1", "250m"), memory: fc.constantFrom("64Mi", "1Gi") }, some),
  },
  { requiredKeys: ["namespace", "name", "command", "dir", "env", "mounts", "graceMs", "stopSignal", "egress", "retries", "concurrency", "keep"] },
);

const stack = fc.option(label, { nil: undefined }).map((name) => (name === undefined ? {} : { stack: name }));
const byName = (value: { readonly namespace: Namespace; readonly name: string }): string => objectKey(value.namespace, value.name);
/** Any put of each kind that is an object on a cluster, with every field that there is now and then. */
export const clusterPuts: { readonly [K in ClusterKind]: fc.Arbitrary<ClusterPut> } = {
  service: fc.tuple(declaredService, stack).map(([value, owner]) => ({
    op: "put",
    kind: "service",
    key: versionKey(value.service.namespace, value.service.app, value.service.version),
    value,
    ...owner,
  })),
  app: fc.tuple(app, stack).map(([value, owner]) => ({ op: "put", kind: "app", key: appKey(value.namespace, value.app), value, ...owner })),
  job: fc.tuple(fc.record({ job, restarts: count }), stack).map(([value, owner]) => ({ op: "put", kind: "job", key: byName(value.job), value, ...owner })),
  router: fc.tuple(router, stack).map(([value, owner]) => ({ op: "put", kind: "router", key: byName(value), value, ...owner })),
  external: fc.tuple(external, stack).map(([value, owner]) => ({ op: "put", kind: "external", key: byName(value), value, ...owner })),
  config: fc.tuple(config, stack).map(([value, owner]) => ({ op: "put", kind: "config", key: byName(value), value, ...owner })),
  secret: fc.tuple(config, stack).map(([value, owner]) => ({ op: "put", kind: "secret", key: byName(value), value, ...owner })),
};
