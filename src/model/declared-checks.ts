/**
 * What is wrong with a declared value in itself, beyond what a schema can say: the same mistakes as in weir.yaml, in the same words. Objects of a cluster
 * come from everywhere, and nobody has read them as a file before.
 */
import type { Problem } from "../lib/problem.ts";
import type { DeclaredApp, DeclaredJob, DeclaredService } from "./declared.ts";
import { checkAddress } from "./file/external.ts";
import { cron, timeZone } from "./file/job.ts";
import { stopSignals, variableMistake } from "./file/program.ts";
import { Report } from "./file/report.ts";
import { conditions } from "./file/route-action.ts";
import { methods } from "./file/route-match.ts";
import { absolutePath, choice, headerName, headerValue, hostName, imageName, label, regex, urlPath } from "./file/scalars.ts";
import type { Shape } from "./file/shape.ts";
import type { DestinationRef, ExternalService, HeaderChanges, NamedMatch, RouteAction, RouteMatch, Router, Service, TextMatch } from "./types.ts";

/** A mistake, and the field that it is in, as Kubernetes writes places: `spec.rules[0].match[1].path.value`. */
export interface FieldMistake {
  readonly path: string;
  readonly problem: Problem;
}

type Add = (path: string, ...problems: readonly Problem[]) => void;

function collect(work: (add: Add) => void): readonly FieldMistake[] {
  const found: FieldMistake[] = [];
  work((path, ...problems) =>
    found.push(...problems.map(({ code, message, hint }) => ({ path, problem: { code, message, ...(hint === undefined ? {} : { hint }) } }))),
  );
  return found;
}

/** What is wrong with a text, in the words of weir.yaml. */
function mistakes(shape: Shape<unknown>, written: string): readonly Problem[] {
  const report = new Report("", "");
  shape.read({ kind: "scalar", at: 0, text: written, value: written }, report, 0);
  const result = report.result(undefined);
  return result.ok ? [] : result.problems;
}

/** Of a Router. */
export function routerMistakes({ hosts, rules }: Router): readonly FieldMistake[] {
  return collect((add) => {
    for (const [at, host] of hosts.entries()) {
      add(`spec.hosts[${at}]`, ...mistakes(hostName(true), host));
      if (hosts.indexOf(host) < at) add(`spec.hosts[${at}]`, { code: "host-clash", message: `${host} is here twice`, hint: "say it once" });
    }
    for (const [at, { match, action, requestHeaders, responseHeaders }] of rules.entries()) {
      const path = `spec.rules[${at}]`;
      for (const [index, one] of match.entries()) checkMatch(one, `${path}.match[${index}]`, add);
      checkAction(action, match, `${path}.action`, add);
      checkChanges(requestHeaders, `${path}.requestHeaders`, add);
      checkChanges(responseHeaders, `${path}.responseHeaders`, add);
    }
  });
}

function checkMatch({ path: wanted, methods: verbs, headers, query, cookies }: RouteMatch, path: string, add: Add): void {
  if (wanted !== undefined) add(`${path}.path.value`, ...mistakes(wanted.kind === "regex" ? regex : urlPath, wanted.value));
  for (const [at, verb] of verbs.entries()) add(`${path}.methods[${at}]`, ...mistakes(choice("a method", methods), verb));
  for (const [at, { name, value }] of headers.entries()) {
    add(`${path}.headers[${at}].name`, ...mistakes(headerName, name));
    if (value.kind === "exact" || value.kind === "prefix") add(`${path}.headers[${at}].value.value`, ...mistakes(headerValue, value.value));
  }
  const named: readonly (readonly [string, readonly NamedMatch[]])[] = [
    ["headers", headers],
    ["query", query],
    ["cookies", cookies],
  ];
  for (const [part, list] of named) for (const [at, { value }] of list.entries()) checkExpression(value, `${path}.${part}[${at}].value.value`, add);
}

function checkExpression(value: TextMatch, path: string, add: Add): void {
  if (value.kind === "regex") add(path, ...mistakes(regex, value.value));
}

function checkAction(action: RouteAction, match: readonly RouteMatch[], path: string, add: Add): void {
  if (action.kind === "redirect") {
    const { host, path: target, fullPath, scheme, port } = action.redirect;
    if (host !== undefined) add(`${path}.redirect.host`, ...mistakes(hostName(false), host));
    if (target !== undefined) add(`${path}.redirect.path`, ...mistakes(urlPath, target));
    if ([host, target, fullPath, scheme, port].every((field) => field === undefined))
      add(`${path}.redirect`, { code: "redirect-invalid", message: "this redirects to where it came from", hint: "say scheme, host, port or path" });
    return;
  }
  checkDestinations(action.destinations, `${path}.destinations`, add);
  for (const [at, { requestHeaders, responseHeaders }] of action.destinations.entries()) {
    if (requestHeaders !== undefined) checkChanges(requestHeaders, `${path}.destinations[${at}].requestHeaders`, add);
    if (responseHeaders !== undefined) checkChanges(responseHeaders, `${path}.destinations[${at}].responseHeaders`, add);
  }
  for (const [at, { to }] of (action.mirrors ?? []).entries()) checkRef(to, `${path}.mirrors[${at}].to`, add);
  checkRewrite(action, match, `${path}.rewrite`, add);
  for (const [at, reason] of (action.retries?.on ?? []).entries())
    add(`${path}.retries.on[${at}]`, ...mistakes(choice("a reason to retry", conditions), reason));
}

type Forward = Extract<RouteAction, { kind: "forward" }>;

function checkDestinations(destinations: Forward["destinations"], path: string, add: Add): void {
  const seen = new Set<string>();
  for (const [at, { to }] of destinations.entries()) {
    checkRef(to, `${path}[${at}].to`, add);
    const text = `${to.kind} ${to.namespace}/${to.name}@${to.version ?? ""}:${to.port ?? ""}`;
    if (seen.has(text)) add(`${path}[${at}].to`, { code: "duplicate-destination", message: `${to.name} is here twice`, hint: "add up the two weights" });
    seen.add(text);
  }
}

/** Kinds and names stand in fields of their own there: `web@v2` or `team-a:web` as a name is somebody's weir.yaml. */
function checkRef({ kind, namespace, name, version }: DestinationRef, path: string, add: Add): void {
  add(`${path}.namespace`, ...mistakes(label("namespace"), namespace));
  if (/[@:/]/.test(name))
    add(`${path}.name`, {
      code: "destination-invalid",
      message: `"${name}" is no name`,
      hint: "kind, namespace, version and port have fields of their own here",
    });
  else add(`${path}.name`, ...mistakes(label(kind === "external" ? "external service" : "app"), name));
  if (version !== undefined) add(`${path}.version`, ...mistakes(label("version"), version));
}

function checkRewrite({ rewrite }: Forward, match: readonly RouteMatch[], path: string, add: Add): void {
  if (rewrite === undefined) return;
  if (rewrite.host !== undefined) add(`${path}.host`, ...mistakes(hostName(false), rewrite.host));
  if (rewrite.path !== undefined) add(`${path}.path`, ...mistakes(urlPath, rewrite.path));
  if (rewrite.regex !== undefined) add(`${path}.regex.pattern`, ...mistakes(regex, rewrite.regex.pattern));
  if (rewrite.path !== undefined && rewrite.regex !== undefined)
    add(path, { code: "rewrite-invalid", message: "this says both path and regex", hint: "say one of them" });
  if (rewrite.path !== undefined && match.some((one) => one.path?.kind === "regex"))
    add(path, {
      code: "rewrite-invalid",
      message: "a path matched by a regular expression has no prefix to replace",
      hint: "write rewrite: {regex: {pattern: …, substitution: …}}",
    });
}

function checkChanges({ add: added, set, remove }: HeaderChanges, path: string, add: Add): void {
  const name = (written: string, at: string): void => {
    add(at, ...mistakes(headerName, written));
    if (written.toLowerCase() === "host")
      add(at, { code: "header-invalid", message: "the host header can't be changed like others", hint: "write rewrite: {host: NAME}" });
  };
  for (const [part, list] of [
    ["add", added],
    ["set", set],
  ] as const)
    for (const [at, one] of list.entries()) {
      name(one.name, `${path}.${part}[${at}].name`);
      add(`${path}.${part}[${at}].value`, ...mistakes(headerValue, one.value));
    }
  for (const [at, one] of remove.entries()) name(one, `${path}.remove[${at}]`);
}

/** Of a Version. */
export function versionMistakes({ service }: DeclaredService): readonly FieldMistake[] {
  return collect((add) => {
    checkStart(service, add);
    for (const [name, probe] of Object.entries(service.health)) {
      if (probe?.check.kind !== "http") continue;
      // A query is fine where nobody routes by it.
      add(`spec.health.${name}.check.path`, ...mistakes(urlPath, probe.check.path.split("?")[0] ?? ""));
      for (const header of Object.keys(probe.check.headers)) add(`spec.health.${name}.check.headers.${header}`, ...mistakes(headerName, header));
    }
  });
}

/** How a process is started, of a Version or a Job. */
function checkStart({ image, env, mounts, stopSignal }: Pick<Service, "image" | "env" | "mounts" | "stopSignal">, add: Add): void {
  if (image !== undefined) add("spec.image", ...mistakes(imageName, image));
  for (const name of Object.keys(env)) {
    const mistake = variableMistake(name);
    if (mistake !== undefined) add(`spec.env.${name}`, mistake);
  }
  for (const [at, { path }] of mounts.entries()) add(`spec.mounts[${at}].path`, ...mistakes(absolutePath, path));
  add("spec.stopSignal", ...mistakes(choice("a stop signal", stopSignals), stopSignal));
}

/** Of a Job. */
export function jobMistakes({ job }: DeclaredJob): readonly FieldMistake[] {
  return collect((add) => {
    checkStart(job, add);
    if (job.schedule === undefined) return;
    add("spec.schedule.cron", ...mistakes(cron, job.schedule.cron));
    add("spec.schedule.timeZone", ...mistakes(timeZone, job.schedule.timeZone));
  });
}

/** Of an App. */
export function appMistakes({ weights, rollout }: DeclaredApp): readonly FieldMistake[] {
  return collect((add) => {
    for (const version of Object.keys(weights)) add(`spec.weights.${version}`, ...mistakes(label("version"), version));
    for (const version of Object.keys(rollout?.from ?? {})) add(`spec.rollout.from.${version}`, ...mistakes(label("version"), version));
  });
}

/** Of an ExternalService. */
export function externalMistakes({ endpoints, tls }: ExternalService): readonly FieldMistake[] {
  return collect((add) => {
    for (const [at, { host, port }] of endpoints.entries()) add(`spec.endpoints[${at}]`, ...checkAddress(host, port));
    if (tls !== undefined) add("spec.tls.serverName", ...mistakes(hostName(false), tls.serverName));
  });
}
