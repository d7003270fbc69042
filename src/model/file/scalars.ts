/** The single values of weir.yaml: each says how it is read, what is wrong with it, and what editors should know. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import { formatDuration, parseDuration } from "../../lib/duration.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import { re2Error } from "../../lib/re2.ts";
import { isImageName } from "../image.ts";
import { isLabel } from "../names.ts";
import { quote } from "../quote.ts";
import { nameProblem } from "../ref.ts";
import { parsePercent, percentHint } from "../weights.ts";
import { type Shape, scalar } from "./shape.ts";

/** Any text; numbers and booleans count as what was written. NUL can't be in arguments, variables or headers. */
export const text: Shape<string> = scalar("text", "text", { type: ["string", "number", "boolean"] }, ({ text: value }) =>
  value.includes("\0") ? failed({ code: "text-invalid", message: "a NUL character can't be used here" }) : ok(value),
);

/** Text with at least one character. */
export const filledText: Shape<string> = scalar("text", "text", { type: ["string", "number", "boolean"], minLength: 1 }, ({ text: value }) =>
  value === "" || value.includes("\0") ? failed({ code: "text-invalid", message: `${quote(value)} can't be used here` }) : ok(value),
);

/** What a container is made from: `registry/name:tag` or `name@sha256:…`, as container runtimes read it. */
export const imageName: Shape<string> = scalar("an image", "registry.example.com/web:1.0", { type: "string", minLength: 1 }, ({ text: written }) =>
  isImageName(written)
    ? ok(written)
    : failed({
        code: "image-invalid",
        message: `${quote(written)} is no image`,
        hint: "write it like registry.example.com/web:1.0, in lower case but for the tag",
      }),
);

/** `true` or `false`. */
export const flag: Shape<boolean> = scalar("true or false", "true or false", { type: "boolean" }, ({ text: written, value }) => {
  if (typeof value === "boolean") return ok(value);
  const meant = ["yes", "on", "1", "true"].includes(written.toLowerCase()) ? "true" : "false";
  return failed({ code: "not-boolean", message: `${quote(written)} is neither true nor false`, hint: `write ${meant} without quotes` });
});

/** A whole number from `min` to `max`. */
export function integer(noun: string, min: number, max: number): Shape<number> {
  return scalar(noun, `a number from ${min} to ${max}`, { type: "integer", minimum: min, maximum: max }, ({ text: written }) => {
    const value = /^\d{1,9}$/.test(written) ? Number(written) : Number.NaN;
    if (value >= min && value <= max) return ok(value);
    return failed({ code: "number-invalid", message: `${quote(written)} is not ${noun}`, hint: `a whole number from ${min} to ${max}` });
  });
}

/** A TCP port. */
export const portNumber: Shape<number> = integer("a port", 1, 65_535);

const durationHint = "write a duration like 250ms, 10s, 5m or 1h30m";

/** A duration of at least `min` and at most a day, in milliseconds. */
export function duration(min: number): Shape<number> {
  const longest = 86_400_000;
  const schema = { type: ["string", "integer"], pattern: "^(0|(\\d+d)?(\\d+h)?(\\d+m)?(\\d+(\\.\\d{1,3})?s)?(\\d+ms)?)$" };
  return scalar("a duration", "10s", schema, ({ text: written }) => {
    const value = parseDuration(written);
    const mended = parseDuration(`${written}s`) === undefined ? "" : `: ${written}s?`;
    if (value === undefined) return failed({ code: "duration-invalid", message: `${quote(written)} is not a duration`, hint: `${durationHint}${mended}` });
    if (value >= min && value <= longest) return ok(value);
    const hint = `from ${formatDuration(min)} to ${formatDuration(longest)}`;
    return failed({ code: "duration-invalid", message: `${written} is too ${value < min ? "short" : "long"}`, hint });
  });
}

/** A weight in percent, as basis points. */
export const percent: Shape<number> = scalar("a weight", "10 or 10%", { type: ["number", "string"], minimum: 0, maximum: 100 }, ({ text: written }) => {
  const value = parsePercent(written);
  return value === undefined ? failed({ code: "weight-invalid", message: `${quote(written)} is not a weight`, hint: percentHint }) : ok(value);
});

/** An RFC 1123 label. `what` names what it names: "namespace". */
export function label(what: string): Shape<string> {
  // A version may be a plain 2.
  const schema = { type: ["string", "integer"], pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" };
  return scalar(`the name of a ${what}`, "a name", schema, ({ text: written }) =>
    isLabel(written) ? ok(written) : failed(nameProblem(`${what}'s name`, written)),
  );
}

/** One of some words. */
export function choice<T extends string>(what: string, words: readonly T[]): Shape<T> {
  // YAML takes an unquoted 301 for a number.
  const spellings = words.flatMap((word) => (/^\d+$/.test(word) ? [word, Number(word)] : [word]));
  return scalar(what, words.slice(0, 4).join(", "), { enum: spellings }, ({ text: written }) => {
    const found = words.find((word) => word === written);
    if (found !== undefined) return ok(found);
    const hint = didYouMean(written, words);
    return failed({ code: "value-unknown", message: `${quote(written)} is not ${what}`, ...(hint === undefined ? {} : { hint }) });
  });
}

/** Text that must match `pattern`; `code` and `hint` say what is wrong when it does not. */
export function pattern(noun: string, code: string, allowed: RegExp, hint: string): Shape<string> {
  return scalar(noun, noun, { type: "string", pattern: allowed.source }, ({ text: written }) =>
    allowed.test(written) ? ok(written) : failed({ code, message: `${quote(written)} is not ${noun}`, hint }),
  );
}

/** A URL path: from `/`, without query, fragment, spaces or control characters. */
export const urlPath: Shape<string> = pattern("a path", "path-invalid", /^\/[^\s?#\p{Cc}]*$/u, "paths start with / and have no ?, # or spaces");

/** An absolute path in a workload's file system. */
export const absolutePath: Shape<string> = pattern("an absolute path", "path-invalid", /^\/[^\0]*$/, "write the whole path from /");

/** A header's name, in lower case. */
export const headerName: Shape<string> = scalar("a header", "x-name", { type: "string" }, ({ text: written }) => readHeaderName(written));

/** Reads a header's name (RFC 9110's token); Envoy compares them in lower case. Problem: `header-invalid`. */
export function readHeaderName(written: string): Result<string> {
  if (/^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,256}$/.test(written)) return ok(written.toLowerCase());
  return failed({ code: "header-invalid", message: `${quote(written)} is not a header's name`, hint: "use letters, digits and -" });
}

/** A header's value: one line without control characters (RFC 9110). */
export const headerValue: Shape<string> = scalar("a header's value", "text", { type: ["string", "number", "boolean"] }, ({ text: written }) =>
  /^[\t\u0020-\u007e\u0080-\uffff]*$/.test(written)
    ? ok(written)
    : failed({ code: "header-invalid", message: `${quote(written)} is not a header's value`, hint: "header values are one line without control characters" }),
);

/** A regular expression as Envoy understands them. */
export const regex: Shape<string> = scalar("a regular expression", '"^/v[0-9]+$"', { type: "string" }, ({ text: written }) => {
  const reason = written.length > 1000 ? "it is longer than 1000 characters" : re2Error(written);
  if (reason === undefined) return ok(written);
  return failed({
    code: "regex-invalid",
    message: `${quote(written)} is not a regular expression: ${reason}`,
    hint: "RE2's syntax: no look-around, no back-references",
  });
});

const dnsName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** Says whether this is a DNS name in lower case. */
export function isDnsName(written: string): boolean {
  return dnsName.test(written);
}

/** A host name, `*.` in front allowed when `wildcard`. Upper case is folded. */
export function hostName(wildcard: boolean): Shape<string> {
  const noun = "a host name";
  return scalar(noun, "shop.example", { type: "string" }, ({ text: written }) => {
    const host = written.toLowerCase();
    if (isDnsName(wildcard ? host.replace(/^\*\./, "") : host)) return ok(host);
    const hint =
      host.includes("/") || host.includes(":")
        ? "write the name alone, without scheme, port or path"
        : `names like shop.example${wildcard ? " or *.shop.example" : ""}`;
    return failed({ code: "host-invalid", message: `${quote(written)} is not ${noun}`, hint });
  });
}
