/**
 * What the API server asks before it keeps an object of weir.dev → what we answer. What is wrong in itself is refused, in the words of weir.yaml; what is
 * wrong only beside other objects is a warning, for GitOps applies in any order. Whatever we cannot judge is let through.
 */
import { didYouMean } from "../../lib/did-you-mean.ts";
import type { Problem } from "../../lib/problem.ts";
import type { DeclaredApp, DeclaredService, Kinds } from "../../model/declared.ts";
import { appMistakes, externalMistakes, type FieldMistake, jobMistakes, routerMistakes, versionMistakes } from "../../model/declared-checks.ts";
import { type ClusterKind, clusterKinds, weirGroup } from "../../model/declared-kinds.ts";
import { covers } from "../../model/file/route-match.ts";
import type { DestinationRef, ExternalService, RouteMatch, Router } from "../../model/types.ts";
import { list, optional, type Raw, record, text } from "./readers.ts";
import { declaredReaders, type KubeDeclared } from "./translate-declared.ts";

type JudgedKind = Exclude<ClusterKind, "config" | "secret">;

/** The declared object that is asked about. */
export interface Admission {
  readonly uid: string;
  readonly kind: JudgedKind;
  readonly namespace: string;
  readonly name: string;
  readonly object: KubeDeclared;
  /** As it was; absent: it is new. */
  readonly before?: KubeDeclared;
  /** It was deleted already: only what holds it back may change. */
  readonly isEnding: boolean;
}

/** What there is beside it, as far as it matters: keys are `NAMESPACE/NAME`. */
export interface Neighbours {
  /** Versions by app. */
  readonly versions: ReadonlyMap<string, ReadonlySet<string>>;
  readonly externals: ReadonlySet<string>;
  readonly routers: readonly Pick<Router, "namespace" | "name" | "hosts" | "public">[];
  /** Services, which are apps, too. */
  readonly services: ReadonlySet<string>;
}

const judged = ["service", "app", "job", "router", "external"] as const satisfies readonly JudgedKind[];

/** Reads an AdmissionReview; undefined: it is about nothing of ours. */
export function readAdmission(review: unknown): Admission | undefined {
  const request = record(record(review)["request"]);
  const [uid, resource] = [text(request["uid"]), record(request["resource"])];
  const kind = judged.find((one) => clusterKinds[one].resource === resource["resource"]);
  if (uid === undefined || kind === undefined || resource["group"] !== weirGroup) return undefined;
  const raw = record(request["object"]);
  const old = request["oldObject"];
  const meta = record(raw["metadata"]);
  return {
    uid,
    kind,
    namespace: text(meta["namespace"]) ?? text(request["namespace"]) ?? "",
    name: text(meta["name"]) ?? text(request["name"]) ?? "",
    object: declaredReaders[kind](raw),
    ...optional("before", typeof old === "object" && old !== null ? declaredReaders[kind](old) : undefined),
    isEnding: meta["deletionTimestamp"] !== undefined,
  };
}

/** What is wrong with it in itself, and was not before: what is there already must stay changeable. */
export function admissionMistakes({ kind, object, before, isEnding }: Admission): readonly FieldMistake[] {
  if (isEnding) return [];
  const known = new Set(mistakesOf(kind, before).map(textOfMistake));
  return mistakesOf(kind, object).filter((mistake) => !known.has(textOfMistake(mistake)));
}

function mistakesOf(kind: JudgedKind, declared: KubeDeclared | undefined): readonly FieldMistake[] {
  const value: unknown = declared?.object?.value;
  if (value === undefined) return [];
  switch (kind) {
    case "service":
      return versionMistakes(value as Kinds["service"]);
    case "app":
      return appMistakes(value as Kinds["app"]);
    case "job":
      return jobMistakes(value as Kinds["job"]);
    case "router":
      return routerMistakes(value as Kinds["router"]);
    case "external":
      return externalMistakes(value as Kinds["external"]);
    default:
      return kind satisfies never;
  }
}

function textOf({ code, message, hint }: Problem): string {
  return `${message}${hint === undefined ? "" : ` (${hint})`} [${code}]`;
}

function textOfMistake({ path, problem }: FieldMistake): string {
  return `${path}: ${textOf(problem)}`;
}

/** So many are told; the others only scroll the first ones away. */
const shown = 10;

/** The answer, for the API server. */
export function admissionAnswer(uid: string, mistakes: readonly FieldMistake[], warnings: readonly string[]): Raw {
  const more = mistakes.length > shown ? [`and ${mistakes.length - shown} more`] : [];
  const message = [...mistakes.slice(0, shown).map(textOfMistake), ...more].join("; ");
  const status = mistakes.length === 0 ? {} : { status: { code: 422, reason: "Invalid", message } };
  const told = warnings.length === 0 ? {} : { warnings: warnings.slice(0, shown) };
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid, allowed: mistakes.length === 0, ...status, ...told } };
}

/** Namespaces whose objects matter for its warnings. */
export function neighbourNamespaces({ namespace, kind, object }: Admission): readonly string[] {
  const refs = kind === "router" ? destinationsOf(object.object?.value as Router | undefined) : [];
  return [...new Set([namespace, ...refs.map((ref) => ref.namespace)])];
}

function destinationsOf(router: Router | undefined): readonly DestinationRef[] {
  return (router?.rules ?? []).flatMap(({ action }) =>
    action.kind === "redirect" ? [] : [...action.destinations, ...(action.mirrors ?? [])].map(({ to }) => to),
  );
}

/** What does not go together with the other objects of now, or means nothing. */
export function admissionWarnings(admission: Admission, neighbours: Neighbours): readonly string[] {
  const { kind, object, isEnding } = admission;
  if (isEnding) return [];
  if (object.object === undefined) return object.problems.map(textOf);
  const value: unknown = object.object.value;
  switch (kind) {
    case "service":
      return [...nameWarnings(admission, (value as DeclaredService).service.app, neighbours)];
    case "app":
      return appWarnings(admission, value as DeclaredApp, neighbours);
    case "job":
      // Nobody calls a job.
      return [];
    case "router":
      return [...nameWarnings(admission, admission.name, neighbours), ...routerWarnings(value as Router, neighbours)];
    case "external":
      return [...nameWarnings(admission, admission.name, neighbours), ...localWarnings(value as ExternalService)];
    default:
      return kind satisfies never;
  }
}

/** Every name that clients can call belongs to one thing. */
function nameWarnings({ kind, namespace, name }: Admission, called: string, { versions, externals, routers }: Neighbours): readonly string[] {
  const key = `${namespace}/${called}`;
  const owners = [
    ...(kind !== "service" && versions.has(key) ? [`the app ${called}`] : []),
    ...(kind !== "external" && externals.has(key) ? [`the external service ${called}`] : []),
    ...(kind !== "router" && routers.some((router) => router.namespace === namespace && router.name === called) ? [`the router ${called}`] : []),
  ];
  const what = { service: `the app ${called}`, external: `the external service ${name}`, router: `the router ${name}`, app: "", job: "" }[kind];
  return owners.map((owner) =>
    textOf({ code: "name-clash", message: `${what} would answer to the name ${called}, and so does ${owner}`, hint: "it exists already: rename one of them" }),
  );
}

function appWarnings({ namespace, name }: Admission, { weights, rollout }: DeclaredApp, { versions }: Neighbours): readonly string[] {
  const known = versions.get(`${namespace}/${name}`) ?? new Set<string>();
  const named = new Set([...Object.entries(weights), ...Object.entries(rollout?.from ?? {})].flatMap(([version, share]) => (share > 0 ? [version] : [])));
  return [...named].filter((version) => !known.has(version)).map((version) => unknownVersion(name, version, known));
}

function unknownVersion(app: string, version: string, known: ReadonlySet<string>): string {
  const hint = didYouMean(version, [...known]) ?? "until there is one, it gets nothing";
  return textOf({ code: "version-unknown", message: `${app} has no version "${version}"`, hint });
}

function routerWarnings(router: Router, neighbours: Neighbours): readonly string[] {
  const targets = destinationsOf(router).flatMap((ref) => targetWarning(ref, neighbours) ?? []);
  return [...new Set([...targets, ...hostWarnings(router, neighbours), ...unreachableWarnings(router)])];
}

function targetWarning({ kind, namespace, name, version }: DestinationRef, { versions, externals, services }: Neighbours): string | undefined {
  const key = `${namespace}/${name}`;
  const what = kind === "external" ? "external service" : "app";
  const isThere = kind === "external" ? externals.has(key) : versions.has(key) || services.has(key);
  if (!isThere) {
    const names = [...(kind === "external" ? externals : [...versions.keys(), ...services])].filter((one) => one.startsWith(`${namespace}/`));
    const near = didYouMean(
      name,
      names.map((one) => one.slice(namespace.length + 1)),
    );
    return textOf({
      code: "destination-unknown",
      message: `there is no ${what} "${name}" in namespace ${namespace}`,
      hint: near ?? "until there is one, callers get 503",
    });
  }
  if (version === undefined || versions.get(key)?.has(version) === true) return undefined;
  return unknownVersion(name, version, versions.get(key) ?? new Set());
}

function hostWarnings({ namespace, name, hosts, public: isPublic }: Router, { routers }: Neighbours): readonly string[] {
  if (!isPublic) return [];
  const others = routers.filter((other) => other.public && !(other.namespace === namespace && other.name === name));
  return hosts.flatMap((host) => {
    const owner = others.find((other) => other.hosts.includes(host));
    if (owner === undefined) return [];
    return [
      textOf({ code: "host-clash", message: `${host} belongs to router ${owner.namespace}/${owner.name}, too: one of the two gets it`, hint: "say it once" }),
    ];
  });
}

const everything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

function unreachableWarnings({ rules }: Router): readonly string[] {
  const earlier: { readonly match: RouteMatch; readonly at: number }[] = [];
  return rules.flatMap(({ match }, at) => {
    const alternatives = match.length === 0 ? [everything] : match;
    const cover = alternatives.map((one) => earlier.find((before) => covers(before.match, one)));
    earlier.push(...alternatives.map((one) => ({ match: one, at })));
    const [first] = cover;
    if (first === undefined || cover.includes(undefined)) return [];
    return [
      textOf({
        code: "rule-unreachable",
        message: `no request reaches spec.rules[${at}]`,
        hint: `spec.rules[${first.at}] takes them all: put this one before it`,
      }),
    ];
  });
}

function localWarnings({ endpoints }: ExternalService): readonly string[] {
  return endpoints
    .filter(({ host }) => host === "localhost" || host.startsWith("127."))
    .map(({ host }) =>
      textOf({ code: "external-local", message: `${host} means another machine on every node of a cluster`, hint: "name a host that all of them reach" }),
    );
}

/** Reads what there is beside it out of what lists answer. */
export function readNeighbours(lists: {
  readonly versions: readonly unknown[];
  readonly externals: readonly unknown[];
  readonly routers: readonly unknown[];
  readonly services: readonly unknown[];
}): Neighbours {
  const versions = new Map<string, Set<string>>();
  for (const item of lists.versions) {
    const { app, version } = record(record(item)["spec"]);
    const key = `${namespaceOf(item)}/${text(app) ?? ""}`;
    versions.set(key, (versions.get(key) ?? new Set()).add(text(version) ?? ""));
  }
  return {
    versions,
    externals: new Set(lists.externals.map(keyOf)),
    routers: lists.routers.map((item) => {
      const spec = record(record(item)["spec"]);
      const hosts = list(spec["hosts"]).flatMap((host) => text(host) ?? []);
      return { namespace: namespaceOf(item) as Router["namespace"], name: nameOf(item), hosts, public: spec["public"] !== false };
    }),
    services: new Set(lists.services.map(keyOf)),
  };
}

function metaOf(item: unknown): Raw {
  return record(record(item)["metadata"]);
}

function namespaceOf(item: unknown): string {
  return text(metaOf(item)["namespace"]) ?? "";
}

function nameOf(item: unknown): string {
  return text(metaOf(item)["name"]) ?? "";
}

function keyOf(item: unknown): string {
  return `${namespaceOf(item)}/${nameOf(item)}`;
}
