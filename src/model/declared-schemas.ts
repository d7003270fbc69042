/**
 * How declared values look as JSON: kept rows and objects of a cluster are checked by these when they are read, so that what another version of Weir,
 * a broken disk or a stranger wrote does not become a value of ours. Zod drops fields that a schema does not know; `of` keeps the schemas complete.
 */
import { z } from "zod";
import { isOneAdopted } from "./adopted.ts";
import type {
  DeclaredAddress,
  DeclaredApp,
  DeclaredJob,
  DeclaredService,
  DeclaredStack,
  JobTemplate,
  KeptRun,
  Kind,
  Kinds,
  Rollout,
  Shares,
  Template,
  WeightChange,
} from "./declared.ts";
import type { AppName, Namespace, VersionName } from "./names.ts";
import { isQuantity } from "./quantity.ts";
import type {
  Adopted,
  Autoscale,
  Config,
  DestinationRef,
  EnvValue,
  ExternalService,
  HeaderChanges,
  Health,
  Job,
  Mirror,
  Mount,
  NamedMatch,
  Port,
  Probe,
  ProbeKind,
  Redirect,
  Resources,
  Retries,
  Rewrite,
  RouteAction,
  RouteMatch,
  RouteRule,
  Router,
  Schedule,
  Service,
  TextMatch,
  Volume,
  WeightedDestination,
} from "./types.ts";

/** Every field present, all the way down: makes two types comparable whose optional fields differ. */
type Complete<T> = T extends string | number | boolean ? T : { readonly [K in keyof T]-?: Complete<Exclude<T[K], undefined>> };

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Holds a schema to the model's type in both directions: a field that only one of them has does not compile ("not assignable to never"). */
function of<T>() {
  return <S extends z.ZodType<T>>(schema: Same<Complete<z.output<S>>, Complete<T>> extends true ? S : never): z.ZodType<T> => schema;
}

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

const port = of<Port>()(z.object({ port: count, containerPort: count, protocol: z.enum(["http", "http2", "grpc", "tcp"]) }));

const check = of<ProbeKind>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("http"), path: text, port: count, headers: textMap }),
    z.object({ kind: z.literal("tcp"), port: count }),
    z.object({ kind: z.literal("grpc"), port: count, service: text }),
    z.object({ kind: z.literal("exec"), command: texts }),
  ]),
);
const probe = of<Probe>()(
  z.object({
    check,
    initialDelayMs: count,
    intervalMs: count,
    timeoutMs: count,
    failureThreshold: count,
    successThreshold: count,
  }),
);
const health = of<Health>()(z.object({ start: probe.exactOptional(), ready: probe.exactOptional(), live: probe.exactOptional() }));

const envValue = of<EnvValue>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("literal"), value: text }),
    z.object({ kind: z.literal("config"), name: text, key: text }),
    z.object({ kind: z.literal("secret"), name: text, key: text }),
  ]),
);
const mount = of<Mount>()(z.object({ kind: z.enum(["config", "secret"]), name: text, key: text.exactOptional(), path: text }));

/** What cannot be read as one would make every later comparison of sizes a guess. */
const quantity = z.string().refine(isQuantity);
const adopted = of<Adopted>()(
  z
    .object({ deployment: text.exactOptional(), statefulSet: text.exactOptional(), daemonSet: text.exactOptional(), selector: textMap })
    .refine(isOneAdopted, "names a deployment, a statefulSet or a daemonSet, exactly one"),
);
const autoscale = of<Autoscale>()(z.object({ max: count, cpu: count }));
const resources = of<Resources>()(z.object({ cpu: quantity.exactOptional(), memory: quantity.exactOptional() }));
const volume = of<Volume>()(z.object({ name: text, path: text, size: quantity, class: text.exactOptional() }));
const service = of<Service>()(
  z.object({
    namespace,
    app,
    version,
    image: text.exactOptional(),
    adopted: adopted.exactOptional(),
    command: texts,
    dir: text,
    env: z.record(text, envValue).readonly(),
    ports: z.array(port).readonly(),
    public: z.boolean(),
    health,
    scale: count,
    autoscale: autoscale.exactOptional(),
    perNode: z.boolean().exactOptional(),
    resources: resources.exactOptional(),
    volumes: z.array(volume).readonly().exactOptional(),
    mounts: z.array(mount).readonly(),
    drainMs: count,
    graceMs: count,
    stopSignal: text,
    egress: z.boolean(),
  }),
);

const schedule = of<Schedule>()(z.object({ cron: text, timeZone: text }));
const job = of<Job>()(
  z.object({
    namespace,
    name: app,
    image: text.exactOptional(),
    command: texts,
    dir: text,
    env: z.record(text, envValue).readonly(),
    mounts: z.array(mount).readonly(),
    graceMs: count,
    stopSignal: text,
    egress: z.boolean(),
    schedule: schedule.exactOptional(),
    retries: count,
    timeoutMs: count.exactOptional(),
    concurrency: z.enum(["forbid", "allow", "replace"]),
    keep: count,
    resources: resources.exactOptional(),
    where,
  }),
);

const valued = <K extends string>(kind: K) => z.object({ kind: z.literal(kind), value: text });
const textMatch = of<TextMatch>()(z.discriminatedUnion("kind", [valued("exact"), valued("prefix"), valued("regex"), z.object({ kind: z.literal("present") })]));
const pathMatch = z.discriminatedUnion("kind", [valued("exact"), valued("prefix"), valued("regex")]);
const named = of<readonly NamedMatch[]>()(z.array(z.object({ name: text, value: textMatch })));
const routeMatch = of<RouteMatch>()(z.object({ path: pathMatch.exactOptional(), methods: texts, headers: named, query: named, cookies: named }));
const destination = of<DestinationRef>()(
  z.object({
    kind: z.enum(["app", "version", "external"]),
    namespace,
    name: text,
    version: version.exactOptional(),
    port: count.exactOptional(),
  }),
);
const pairs = z.array(z.object({ name: text, value: text })).readonly();
const headerChanges = of<HeaderChanges>()(z.object({ add: pairs, set: pairs, remove: texts }));
const rewrite = of<Rewrite>()(
  z.object({
    host: text.exactOptional(),
    path: text.exactOptional(),
    fullPath: text.exactOptional(),
    regex: z.object({ pattern: text, substitution: text }).exactOptional(),
  }),
);
const retries = of<Retries>()(
  z.object({ attempts: count, perTryTimeoutMs: count.exactOptional(), on: texts, codes: z.array(count).readonly().exactOptional() }),
);
const redirect = of<Redirect>()(
  z.object({
    scheme: z.enum(["http", "https"]).exactOptional(),
    host: text.exactOptional(),
    port: count.exactOptional(),
    path: text.exactOptional(),
    fullPath: text.exactOptional(),
    code: z.union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)]),
  }),
);
const weighted = of<WeightedDestination>()(
  z.object({ to: destination, weight: count, requestHeaders: headerChanges.exactOptional(), responseHeaders: headerChanges.exactOptional() }),
);
const mirror = of<Mirror>()(z.object({ to: destination, share: count }));
const action = of<RouteAction>()(
  z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("forward"),
      destinations: z.array(weighted).readonly(),
      rewrite: rewrite.exactOptional(),
      timeoutMs: count.exactOptional(),
      retries: retries.exactOptional(),
      tryTimeoutMs: count.exactOptional(),
      mirrors: z.array(mirror).readonly().exactOptional(),
      refused: count.exactOptional(),
    }),
    z.object({ kind: z.literal("redirect"), redirect }),
  ]),
);
const rule = of<RouteRule>()(
  z.object({
    match: z.array(routeMatch).readonly(),
    action,
    requestHeaders: headerChanges,
    responseHeaders: headerChanges,
    where,
  }),
);
const router = of<Router>()(z.object({ namespace, name: text, hosts: texts, public: z.boolean(), rules: z.array(rule).readonly(), where }));
const external = of<ExternalService>()(
  z.object({
    namespace,
    name: text,
    endpoints: z.array(z.object({ host: text, port: count })).readonly(),
    ports: z.array(port).readonly(),
    tls: z.object({ serverName: text }).exactOptional(),
    where,
  }),
);
const config = of<Config>()(z.object({ namespace, name: text, data: textMap }));

const shares = of<Shares>()(z.record(text, count).readonly());
const weightChange = of<WeightChange>()(z.object({ revision: count, at: count, change: text, weights: shares, durationMs: count }));
const rollout = of<Rollout>()(z.object({ from: shares, startedAt: count, durationMs: count }));
const declaredService = of<DeclaredService>()(z.object({ service, origin: z.enum(["file", "command"]), restarts: count }));
const declaredApp = of<DeclaredApp>()(
  z.object({
    namespace,
    app,
    weights: shares,
    rollout: rollout.exactOptional(),
    history: z.array(weightChange).readonly(),
  }),
);
const declaredJob = of<DeclaredJob>()(z.object({ job, restarts: count }));
const stack = of<DeclaredStack>()(z.object({ name: text, namespaces: texts }));
const address = of<DeclaredAddress>()(z.object({ ip: z.ipv4() }));
const configs = z.array(config).readonly();
const template = of<Template>()(z.object({ hash: text, service, restarts: count, configs, secrets: configs }));
const jobTemplate = of<JobTemplate>()(z.object({ job, configs, secrets: configs }));
const run = of<KeptRun>()(
  z.object({
    namespace,
    job: app,
    number: count,
    id: text,
    cause: text,
    hash: text,
    startedAt: count,
    state: z.enum(["running", "succeeded", "failed", "stopped"]),
    endedAt: count.exactOptional(),
    reason: text.exactOptional(),
    template: jobTemplate.exactOptional(),
  }),
);

/** How a value of each kind must look. */
export const valueSchemas: { readonly [K in Kind]: z.ZodType<Kinds[K]> } = {
  service: declaredService,
  app: declaredApp,
  job: declaredJob,
  router,
  external,
  config,
  secret: config,
  stack,
  address,
  template,
  run,
};
