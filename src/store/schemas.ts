/** Checks kept JSON when it is read: what another version of Weir or a broken disk wrote must not become a value of ours. */
import { z } from "zod";
import type { DeclaredAddress, DeclaredApp, DeclaredService, DeclaredStack, Kind, Kinds, Rollout, Shares, Template, WeightChange } from "../model/declared.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import type {
  Config,
  DestinationRef,
  EnvValue,
  ExternalService,
  HeaderChanges,
  Health,
  Mount,
  NamedMatch,
  Port,
  Probe,
  ProbeKind,
  RouteAction,
  RouteMatch,
  RouteRule,
  Router,
  Service,
  TextMatch,
} from "../model/types.ts";

/** Layout of the values in the rows. A row with another number needs a migration. */
export const valueSchemaVersion = 1;

function branded<T extends string>(): z.ZodType<T> {
  return z.string().min(1) as unknown as z.ZodType<T>;
}
const namespace = branded<Namespace>();
const app = branded<AppName>();
const version = branded<VersionName>();
const text = z.string();
const count = z.int().min(0);
const texts = z.array(text).readonly();
const textMap = z.record(text, text).readonly();
const where = z.object({ file: text, line: count, column: count, text: text.exactOptional() }).exactOptional();

const port: z.ZodType<Port> = z.object({ port: count, containerPort: count, protocol: z.enum(["http", "http2", "grpc", "tcp"]) });

const check: z.ZodType<ProbeKind> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("http"), path: text, port: count, headers: textMap }),
  z.object({ kind: z.literal("tcp"), port: count }),
  z.object({ kind: z.literal("grpc"), port: count, service: text }),
  z.object({ kind: z.literal("exec"), command: texts }),
]);
const probe: z.ZodType<Probe> = z.object({
  check,
  initialDelayMs: count,
  intervalMs: count,
  timeoutMs: count,
  failureThreshold: count,
  successThreshold: count,
});
const health: z.ZodType<Health> = z.object({ start: probe.exactOptional(), ready: probe.exactOptional(), live: probe.exactOptional() });

const envValue: z.ZodType<EnvValue> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("literal"), value: text }),
  z.object({ kind: z.literal("config"), name: text, key: text }),
  z.object({ kind: z.literal("secret"), name: text, key: text }),
]);
const mount: z.ZodType<Mount> = z.object({ kind: z.enum(["config", "secret"]), name: text, key: text.exactOptional(), path: text });

const service: z.ZodType<Service> = z.object({
  namespace,
  app,
  version,
  command: texts,
  dir: text,
  env: z.record(text, envValue).readonly(),
  ports: z.array(port).readonly(),
  public: z.boolean(),
  health,
  scale: count,
  mounts: z.array(mount).readonly(),
  drainMs: count,
  graceMs: count,
  stopSignal: text,
  egress: z.boolean(),
});

const valued = <K extends string>(kind: K) => z.object({ kind: z.literal(kind), value: text });
const textMatch: z.ZodType<TextMatch> = z.discriminatedUnion("kind", [
  valued("exact"),
  valued("prefix"),
  valued("regex"),
  z.object({ kind: z.literal("present") }),
]);
const pathMatch = z.discriminatedUnion("kind", [valued("exact"), valued("prefix"), valued("regex")]);
const named: z.ZodType<readonly NamedMatch[]> = z.array(z.object({ name: text, value: textMatch }));
const routeMatch: z.ZodType<RouteMatch> = z.object({ path: pathMatch.exactOptional(), methods: texts, headers: named, query: named, cookies: named });
const destination: z.ZodType<DestinationRef> = z.object({
  kind: z.enum(["app", "version", "external"]),
  namespace,
  name: text,
  version: version.exactOptional(),
  port: count.exactOptional(),
});
const pairs = z.array(z.object({ name: text, value: text })).readonly();
const headerChanges: z.ZodType<HeaderChanges> = z.object({ add: pairs, set: pairs, remove: texts });
const action: z.ZodType<RouteAction> = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("forward"),
    destinations: z.array(z.object({ to: destination, weight: count })).readonly(),
    rewrite: z
      .object({ host: text.exactOptional(), path: text.exactOptional(), regex: z.object({ pattern: text, substitution: text }).exactOptional() })
      .exactOptional(),
    timeoutMs: count.exactOptional(),
    retries: z.object({ attempts: count, perTryTimeoutMs: count.exactOptional(), on: texts }).exactOptional(),
  }),
  z.object({
    kind: z.literal("redirect"),
    redirect: z.object({
      scheme: z.enum(["http", "https"]).exactOptional(),
      host: text.exactOptional(),
      port: count.exactOptional(),
      path: text.exactOptional(),
      code: z.union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)]),
    }),
  }),
]);
const rule: z.ZodType<RouteRule> = z.object({
  match: z.array(routeMatch).readonly(),
  action,
  requestHeaders: headerChanges,
  responseHeaders: headerChanges,
  where,
});
const router: z.ZodType<Router> = z.object({ namespace, name: text, hosts: texts, public: z.boolean(), rules: z.array(rule).readonly(), where });
const external: z.ZodType<ExternalService> = z.object({
  namespace,
  name: text,
  endpoints: z.array(z.object({ host: text, port: count })).readonly(),
  ports: z.array(port).readonly(),
  tls: z.object({ serverName: text }).exactOptional(),
  where,
});
const config: z.ZodType<Config> = z.object({ namespace, name: text, data: textMap });

const shares: z.ZodType<Shares> = z.record(text, count).readonly();
const weightChange: z.ZodType<WeightChange> = z.object({ revision: count, at: count, change: text, weights: shares, durationMs: count });
const rollout: z.ZodType<Rollout> = z.object({ from: shares, startedAt: count, durationMs: count });
const declaredService: z.ZodType<DeclaredService> = z.object({ service, origin: z.enum(["file", "command"]), restarts: count });
const declaredApp: z.ZodType<DeclaredApp> = z.object({
  namespace,
  app,
  weights: shares,
  rollout: rollout.exactOptional(),
  history: z.array(weightChange).readonly(),
});
const stack: z.ZodType<DeclaredStack> = z.object({ name: text, namespaces: texts });
const address: z.ZodType<DeclaredAddress> = z.object({ ip: z.ipv4() });
const configs = z.array(config).readonly();
const template: z.ZodType<Template> = z.object({ hash: text, service, restarts: count, configs, secrets: configs });

/** How a value of each kind must look. */
export const valueSchemas: { readonly [K in Kind]: z.ZodType<Kinds[K]> } = {
  service: declaredService,
  app: declaredApp,
  router,
  external,
  config,
  secret: config,
  stack,
  address,
  template,
};
