/** `to:` of a router's rule: where requests go, in which shares. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import { failed, type Result } from "../../lib/problem.ts";
import { type AppName, appKey, type Namespace, objectKey } from "../names.ts";
import { quote } from "../quote.ts";
import { parseRef, type Ref } from "../ref.ts";
import type { DestinationRef, Port, WeightedDestination } from "../types.ts";
import { formatPercent, fullWeight, splitInProportion } from "../weights.ts";
import { label, percent, portNumber } from "./scalars.ts";
import { asNamespace, asVersionName, type KnownTarget, type Scope } from "./scope.ts";
import { byKind, type Located, type ObjectOf, object, oneOrMany, optional, refine, type Shape, scalar, soundOnly } from "./shape.ts";

const destinationFields = {
  app: optional(label("app"), "an app: all its versions by their weights"),
  version: optional(label("version"), "one version of the app"),
  external: optional(label("external service"), "an external service"),
  namespace: optional(label("namespace"), "where it lives (default: the router's)"),
  port: optional(portNumber, "what callers use (default: the only port, or the first http one)"),
  weight: optional(percent, "share of the requests, in percent"),
};
type DestinationFields = ObjectOf<typeof destinationFields>;

const example = "web, web@v2, team-a:web, {app: web, weight: 10} or {external: db}";

/** Reads `[NS:][external/]NAME[@VERSION]` as the fields that say the same. */
function readText(written: string, at: number): Result<DestinationFields> {
  // The empty namespace stands for "not said": the router's is not known here.
  const ref = parseRef(written, "" as Namespace);
  if (!ref.ok) return ref;
  const { namespace, kind, name, version }: Ref = ref.value;
  if (kind !== undefined && kind !== "external" && kind !== "app" && kind !== "service") {
    return failed({ code: "destination-invalid", message: `requests can't go to a ${kind}`, hint: `write ${example}` });
  }
  const found = (value: string | undefined): Located<string> | undefined => (value === undefined || value === "" ? undefined : { value, at });
  const isExternal = kind === "external";
  return {
    ok: true,
    value: {
      app: found(isExternal ? undefined : name),
      external: found(isExternal ? name : undefined),
      version: found(version),
      namespace: found(namespace),
      port: undefined,
      weight: undefined,
    },
  };
}

const one: Shape<DestinationFields> = byKind("a destination", example, {
  scalar: { ...scalar("a destination", example, { type: "string" }, (node) => readText(node.text, node.at)) },
  map: refine(soundOnly(object("a destination", destinationFields, { service: "app", to: "app", name: "app" })), checkKind),
});

/** `isSound` false: something in them was wrong and was reported, so that some may be missing. */
interface DestinationList {
  readonly items: readonly Located<DestinationFields>[];
  readonly isSound: boolean;
}

/** One destination or several with weights. */
export const destinationsShape: Shape<DestinationList> = refine(oneOrMany(soundOnly(one)), (items, at, report, isSound) => {
  if (isSound && items.length === 0) report.add(at, "destination-invalid", "there is no destination here", `write ${example}`);
  return { items, isSound };
});

function checkKind(fields: DestinationFields, at: number, report: Scope["report"]): DestinationFields | undefined {
  const { app, external, version } = fields;
  if ((app === undefined) === (external === undefined)) {
    report.add(
      external?.at ?? at,
      "destination-invalid",
      `this names ${app === undefined ? "nothing to send requests to" : "both an app and an external service"}`,
      `write ${example}`,
    );
    return undefined;
  }
  if (external !== undefined && version !== undefined) report.add(version.at, "destination-invalid", "external services have no versions");
  return fields;
}

/** Resolves the names, checks that they exist and speak HTTP, and completes the weights. `namespace` is the router's. */
export function buildDestinations({ items: fields, isSound }: DestinationList, at: number, namespace: Namespace, scope: Scope): readonly WeightedDestination[] {
  const refs = fields.map((field) => buildRef(field, namespace, scope));
  const seen = new Set<string>();
  for (const [index, ref] of refs.entries()) {
    const text = JSON.stringify(ref);
    if (seen.has(text)) scope.report.add(fields[index]?.at ?? at, "duplicate-destination", `${ref.name} is here twice`, "add up the two weights");
    seen.add(text);
  }
  const weights = isSound ? readWeights(fields, at, scope) : [];
  return refs.map((to, index) => ({ to, weight: weights[index] ?? 0 }));
}

function buildRef({ value: fields, at }: Located<DestinationFields>, routerNamespace: Namespace, scope: Scope): DestinationRef {
  const namespace = fields.namespace === undefined ? routerNamespace : asNamespace(fields.namespace.value);
  const name = fields.app?.value ?? fields.external?.value ?? "";
  const isApp = fields.app !== undefined && scope.names.apps.has(appKey(namespace, name as AppName));
  // A plain name may stand for an external service: names of one namespace are unique.
  const isExternal = fields.external !== undefined || (!isApp && fields.version === undefined && scope.names.externals.has(objectKey(namespace, name)));
  const kind = isExternal ? "external" : fields.version === undefined ? "app" : "version";
  const ref: DestinationRef = {
    kind,
    namespace,
    name,
    ...(fields.version !== undefined && kind === "version" && { version: asVersionName(fields.version.value) }),
    ...(fields.port && { port: fields.port.value }),
  };
  const target = findTarget(ref, fields.app?.at ?? fields.external?.at ?? at, fields.version?.at ?? at, scope);
  if (target?.isSound === true) checkPort(ref, target.ports, fields.port?.at ?? at, scope);
  return ref;
}

function findTarget(ref: DestinationRef, at: number, versionAt: number, scope: Scope): KnownTarget | undefined {
  const { apps, externals } = scope.names;
  if (ref.kind === "external") {
    const external = externals.get(objectKey(ref.namespace, ref.name));
    if (external === undefined) reportUnknown("external service", ref, externals.keys(), at, scope);
    return external;
  }
  const app = apps.get(appKey(ref.namespace, ref.name as AppName));
  if (app === undefined) reportUnknown("app", ref, [...apps.keys(), ...externals.keys()], at, scope);
  else if (ref.version !== undefined && !app.versions.has(ref.version)) {
    scope.report.add(versionAt, "version-unknown", `${ref.name} has no version ${quote(ref.version)}`, didYouMean(ref.version, app.versions));
    return undefined;
  }
  return app;
}

function reportUnknown(what: string, { namespace, name }: DestinationRef, keys: Iterable<string>, at: number, scope: Scope): void {
  const near = didYouMean(name, scope.names.namesIn(namespace, keys)) ?? "declare it in this file, or start it first";
  // `web:80` reads as the app 80 of namespace web.
  const hint = /^\d+$/.test(name) ? `write {app: ${namespace}, port: ${name}} if this is a port` : near;
  scope.report.add(at, "destination-unknown", `there is no ${what} ${quote(name)} in namespace ${namespace}`, hint);
}

function checkPort({ name, port }: DestinationRef, ports: readonly Port[], at: number, scope: Scope): void {
  const fitting = port === undefined ? ports : ports.filter((known) => known.port === port);
  if (fitting.some(({ protocol }) => protocol !== "tcp")) return;
  if (port !== undefined && fitting.length === 0) {
    scope.report.add(
      at,
      "port-unknown",
      `${name} has no port ${port}`,
      ports.length === 0 ? "it has no ports" : `it has ${[...new Set(ports.map((known) => known.port))].join(", ")}`,
    );
    return;
  }
  const reason = ports.length === 0 ? "has no ports" : "speaks only tcp there";
  scope.report.add(at, "destination-not-http", `requests can't go to ${name}: it ${reason}`, "give it a port like 80:8080/http");
}

/** All weights, or none of them: then equal shares. Returns basis points that sum to 10 000. */
function readWeights(fields: readonly Located<DestinationFields>[], at: number, scope: Scope): readonly number[] {
  const said = fields.flatMap(({ value }) => (value.weight === undefined ? [] : [value.weight]));
  const even = splitInProportion(fullWeight, new Map(fields.map((_, index) => [String(index).padStart(6, "0"), 0])));
  if (said.length === 0) return [...even.values()];
  const silent = fields.find(({ value }) => value.weight === undefined);
  if (silent !== undefined) {
    scope.report.add(silent.at, "weights-sum", "this destination has no weight, others have", "give every destination a weight, or none");
    return [];
  }
  const sum = said.reduce((total, { value }) => total + value, 0);
  if (sum !== fullWeight)
    scope.report.add(said.at(-1)?.at ?? at, "weights-sum", `the weights of these destinations sum to ${formatPercent(sum)}`, "make them sum to 100");
  return said.map(({ value }) => value);
}
