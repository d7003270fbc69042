/** What a router's rule does with requests, apart from where they go: rewrite, redirect, retries, header changes. */
import type { HeaderChanges, Redirect, Retries, Rewrite } from "../types.ts";
import type { Report } from "./report.ts";
import { choice, duration, headerName, headerValue, hostName, integer, portNumber, readHeaderName, regex, text, urlPath } from "./scalars.ts";
import { type Located, type LocatedEntry, mapOf, type ObjectOf, object, oneOrMany, optional, refine, required, type Shape } from "./shape.ts";

const rewriteFields = {
  host: optional(hostName(false), "the Host that the destination sees"),
  path: optional(urlPath, "replaces the matched prefix, or the whole of an exact path"),
  regex: optional(
    object("a rewrite", { pattern: required(regex, "what to replace in the path"), substitution: required(text, "what with; \\1 is the first group") }),
    "replaces what matches in the path",
  ),
};
export const rewriteShape: Shape<Rewrite> = refine(
  object("a rewrite", rewriteFields, { prefix: "path" }),
  ({ host, path, regex: replace }, at, report, isSound) => {
    if (path !== undefined && replace !== undefined) report.add(replace.at, "rewrite-invalid", "this says both path and regex", "say one of them");
    if (isSound && host === undefined && path === undefined && replace === undefined)
      report.add(at, "rewrite-invalid", "this rewrites nothing", "say host, path or regex");
    const { pattern: expression, substitution } = replace?.value ?? {};
    return {
      ...(host && { host: host.value }),
      ...(path && { path: path.value }),
      ...(expression && substitution && { regex: { pattern: expression.value, substitution: substitution.value } }),
    };
  },
);

const redirectFields = {
  scheme: optional(choice<"http" | "https">("a scheme", ["http", "https"]), "http or https (default: as it came)"),
  host: optional(hostName(false), "another host"),
  port: optional(portNumber, "another port"),
  path: optional(urlPath, "another path"),
  code: optional(choice<"301" | "302" | "303" | "307" | "308">("a redirect's status", ["301", "302", "303", "307", "308"]), "HTTP status (default 302)"),
};
const codes = { "301": 301, "302": 302, "303": 303, "307": 307, "308": 308 } as const;
export const redirectShape: Shape<Redirect> = refine(object("a redirect", redirectFields, { status: "code" }), (fields, at, report, isSound) => {
  const { scheme, host, port, path, code } = fields;
  if (isSound && [scheme, host, port, path].every((field) => field === undefined))
    report.add(at, "redirect-invalid", "this redirects to where it came from", "say scheme, host, port or path");
  return {
    ...(scheme && { scheme: scheme.value }),
    ...(host && { host: host.value }),
    ...(port && { port: port.value }),
    ...(path && { path: path.value }),
    code: codes[code?.value ?? "302"],
  };
});

/** What may be tried again. */
export const conditions = [
  "5xx", "gateway-error", "connect-failure", "refused-stream", "reset", "reset-before-request", "retriable-4xx",
  "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
] as const; // biome-ignore format: one table
const retryFields = {
  attempts: required(integer("a number of retries", 1, 10), "how many more times to try"),
  perTry: optional(duration(1), "longest wait for one try"),
  on: optional(oneOrMany(choice("a reason to retry", conditions)), "what to retry (default connect-failure, refused-stream, gateway-error)"),
};
export const retriesShape: Shape<Retries> = refine(
  object("retries", retryFields, { count: "attempts", timeout: "perTry", perTryTimeout: "perTry" }),
  ({ attempts, perTry, on }) => ({
    attempts: attempts?.value ?? 1,
    ...(perTry && { perTryTimeoutMs: perTry.value }),
    on: on === undefined || on.value.length === 0 ? ["connect-failure", "refused-stream", "gateway-error"] : [...new Set(on.value.map(({ value }) => value))],
  }),
);

const values = mapOf("headers", headerValue);
const changeFields = {
  add: optional(values, "headers to add, beside those that are there"),
  set: optional(values, "headers to set, in place of those that are there"),
  remove: optional(oneOrMany(headerName), "headers to remove"),
};
const changesShape: Shape<HeaderChanges> = refine(object("header changes", changeFields, { append: "add", replace: "set", delete: "remove" }), buildChanges);

function buildChanges({ add, set, remove }: ObjectOf<typeof changeFields>, _at: number, report: Report): HeaderChanges {
  const removed = (remove?.value ?? []).filter((name) => !isHost(name, report));
  return { add: named(add?.value ?? [], report), set: named(set?.value ?? [], report), remove: [...new Set(removed.map(({ value }) => value))] };
}

function named(entries: readonly LocatedEntry<string>[], report: Report): HeaderChanges["add"] {
  return entries.flatMap(({ key, keyAt, value }) => {
    const name = readHeaderName(key);
    if (!name.ok) for (const problem of name.problems) report.addProblem(keyAt, problem);
    return name.ok && !isHost({ value: name.value, at: keyAt }, report) ? [{ name: name.value, value }] : [];
  });
}

function isHost({ value, at }: Located<string>, report: Report): boolean {
  if (value !== "host") return false;
  report.add(at, "header-invalid", "the host header can't be changed like others", "write rewrite: {host: NAME}");
  return true;
}

/** Changes to requests and responses. */
export const headersShape: Shape<{ readonly request: Located<HeaderChanges> | undefined; readonly response: Located<HeaderChanges> | undefined }> = object(
  "headers",
  { request: optional(changesShape, "on the way there"), response: optional(changesShape, "on the way back") },
  { add: "request", set: "request", remove: "request" },
);

/** Changes nothing. */
export const noChanges: HeaderChanges = { add: [], set: [], remove: [] };
