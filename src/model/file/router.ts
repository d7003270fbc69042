/** `routers:` — host names and rules in front of apps. */
import type { Namespace } from "../names.ts";
import type { HeaderChanges, RouteAction, RouteMatch, RouteRule, Router } from "../types.ts";
import { buildDestinations, destinationsShape } from "./destination.ts";
import type { Report } from "./report.ts";
import { headersShape, noChanges, redirectShape, retriesShape, rewriteShape } from "./route-action.ts";
import { covers, matchShape } from "./route-match.ts";
import { duration, flag, hostName, label } from "./scalars.ts";
import { readPlainKey, type Scope } from "./scope.ts";
import { type Located, type LocatedEntry, listOf, type ObjectOf, object, oneOrMany, optional, type Shape } from "./shape.ts";

const ruleFields = {
  match: optional(oneOrMany(matchShape), "one condition or several, any of which will do (default: everything)"),
  to: optional(destinationsShape, "web, web@v2, team-a:web, {app: web, weight: 10} or a list of them"),
  redirect: optional(redirectShape, "answer with another address instead"),
  rewrite: optional(rewriteShape, "change the path or host on the way"),
  headers: optional(headersShape, "change headers"),
  timeout: optional(duration(0), "longest wait for the whole answer, retries included; 0: none"),
  retries: optional(retriesShape, "try again when it fails"),
};
type RuleFields = ObjectOf<typeof ruleFields>;

const routerFields = {
  namespace: optional(label("namespace"), "where it lives (default: the file's)"),
  hosts: optional(oneOrMany(hostName(true)), "names it answers to, like shop.example or *.shop.example"),
  public: optional(flag, "reachable through the gateway (default true)"),
  rules: optional(
    listOf("the rules", object("a rule", ruleFields, { route: "to", destination: "to", backend: "to", when: "match", path: "match" })),
    "the first one that matches wins",
  ),
};
export type RouterFields = ObjectOf<typeof routerFields>;
export const routerShape: Shape<RouterFields> = object("a router", routerFields, { host: "hosts", hostname: "hosts", routes: "rules", domains: "hosts" });

/** A router as the file has it, with the places that later checks point to. */
export interface ReadRouter {
  readonly router: Router;
  readonly hosts: readonly Located<string>[];
  readonly at: number;
}

/** Completes one router; what is wrong is reported. Every service and external service must be in the index of names. */
export function buildRouter(entry: LocatedEntry<RouterFields>, scope: Scope): ReadRouter | undefined {
  const { namespace, hosts, public: isPublic, rules } = entry.value;
  const key = readPlainKey(entry, scope, namespace);
  if (key === undefined) return undefined;
  if (entry.isSound && (rules?.value ?? []).length === 0) scope.report.add(entry.keyAt, "router-empty", "a router needs rules", "write rules: [{to: APP}]");
  const built = (rules?.value ?? []).map((rule) => buildRule(rule, key.namespace, scope));
  // A match that could not be read looks like one of everything.
  if (entry.isSound) reportUnreachable(built, rules?.value ?? [], scope.report);
  const router: Router = {
    namespace: key.namespace,
    name: key.name,
    hosts: (hosts?.value ?? []).map(({ value }) => value),
    public: isPublic?.value ?? true,
    rules: built,
    where: scope.report.place(entry.keyAt),
  };
  return { router, hosts: hosts?.value ?? [], at: entry.keyAt };
}

function buildRule({ value: fields, at }: Located<RuleFields>, namespace: Namespace, scope: Scope): RouteRule {
  const changes = (located: Located<HeaderChanges> | undefined): HeaderChanges => located?.value ?? noChanges;
  return {
    match: (fields.match?.value ?? []).map(({ value }) => value),
    action: fields.redirect === undefined ? forward(fields, at, namespace, scope) : redirect(fields, fields.redirect.value, scope.report),
    requestHeaders: changes(fields.headers?.value.request),
    responseHeaders: changes(fields.headers?.value.response),
    where: scope.report.place(at),
  };
}

function redirect(fields: RuleFields, value: (RouteAction & { kind: "redirect" })["redirect"], report: Report): RouteAction {
  for (const name of ["to", "rewrite", "timeout", "retries"] as const) {
    const field = fields[name];
    if (field !== undefined)
      report.add(field.at, "rule-invalid", `a rule that redirects can't have "${name}"`, "a redirect is answered at once, nothing is forwarded");
  }
  return { kind: "redirect", redirect: value };
}

function forward(fields: RuleFields, at: number, namespace: Namespace, scope: Scope): RouteAction {
  const { to, rewrite, timeout, retries, match } = fields;
  if (to === undefined) scope.report.add(at, "rule-invalid", "a rule needs to or redirect", "write to: APP");
  if (rewrite?.value.path !== undefined && match?.value.some(({ value }) => value.path?.kind === "regex") === true) {
    scope.report.add(
      rewrite.at,
      "rewrite-invalid",
      "a path matched by a regular expression has no prefix to replace",
      "write rewrite: {regex: {pattern: …, substitution: …}}",
    );
  }
  return {
    kind: "forward",
    destinations: to === undefined ? [] : buildDestinations(to.value, to.at, namespace, scope),
    ...(rewrite && { rewrite: rewrite.value }),
    ...(timeout && { timeoutMs: timeout.value }),
    ...(retries && { retries: retries.value }),
  };
}

const everything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

/** Reports each rule whose requests all go to rules before it. */
function reportUnreachable(rules: readonly RouteRule[], places: readonly Located<unknown>[], report: Report): void {
  const earlier: { readonly match: RouteMatch; readonly line: number }[] = [];
  for (const [index, rule] of rules.entries()) {
    const at = places[index]?.at ?? 0;
    const alternatives = rule.match.length === 0 ? [everything] : rule.match;
    const cover = alternatives.map((match) => earlier.find((before) => covers(before.match, match)));
    const first = cover.every((found) => found !== undefined) ? cover[0] : undefined;
    if (first !== undefined) {
      report.add(at, "rule-unreachable", "no request reaches this rule", `the rule on line ${first.line} takes them all: put this one before it`);
    }
    earlier.push(...alternatives.map((match) => ({ match, line: report.place(at).line })));
  }
}
