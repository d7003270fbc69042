/** Text matches as regular expressions, for meshes that know only exact text and patterns. RE2 syntax; whole-text meaning. */
import type { TextMatch } from "../../model/types.ts";

/** Escapes everything in `text` that RE2 would not take literally. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** The pattern that must match a whole value for `match` to hold. Not anchored: see `anchored`. */
export function patternOf(match: TextMatch): string {
  switch (match.kind) {
    case "exact":
      return escapePattern(match.value);
    case "prefix":
      return `${escapePattern(match.value)}.*`;
    case "regex":
      return match.value;
    case "present":
      return ".*";
    default:
      return match satisfies never;
  }
}

/**
 * Gateway API leaves open whether a pattern must match the whole value or a part. With both anchors it means the whole
 * value everywhere.
 */
export function anchored(pattern: string): string {
  return `^(?:${pattern})$`;
}

/**
 * A pattern for the whole `Cookie` header that holds when cookie `name` matches, or undefined when `match` is a pattern
 * that cannot be kept inside one cookie. Not anchored.
 */
export function cookiePattern(name: string, match: TextMatch): string | undefined {
  const value = cookieValuePattern(match);
  return value === undefined ? undefined : `(?:.*;\\s*)?${escapePattern(name)}=${value}(?:;.*)?`;
}

function cookieValuePattern(match: TextMatch): string | undefined {
  switch (match.kind) {
    case "exact":
      return escapePattern(match.value);
    case "prefix":
      return `${escapePattern(match.value)}[^;]*`;
    case "present":
      return "[^;]*";
    case "regex": {
      const kept = withinCookie(match.value);
      return kept === undefined ? undefined : `(?:${kept})`;
    }
    default:
      return match satisfies never;
  }
}

/**
 * Rewrites a pattern so that nothing in it can run over `;`, which ends a cookie: `.` becomes `[^;]`, `[^x]` becomes
 * `[^x;]`, anchors at the ends go (the value is whole anyway). Undefined for parts that would need an RE2 parser.
 */
function withinCookie(pattern: string): string | undefined {
  const inner = pattern.replace(/^\^/, "").replace(/(^|[^\\])\$$/, "$1");
  let out = "";
  for (let at = 0; at < inner.length; ) {
    const piece = nextPiece(inner, at);
    const kept = keepInCookie(piece);
    if (kept === undefined) return undefined;
    out += kept;
    at += piece.length;
  }
  return out;
}

/** The next class, escape, group opening or character of a pattern. */
function nextPiece(pattern: string, at: number): string {
  const rest = pattern.slice(at);
  return /^(?:\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]|\\.|\(\?[^:)]*[:)]?|.)/s.exec(rest)?.[0] ?? rest;
}

function keepInCookie(piece: string): string | undefined {
  if (piece === ".") return "[^;]";
  if (piece === "^" || piece === "$" || piece.includes(";")) return undefined;
  // A class may contain `;` by name or range: those and the negated escapes are not worth a parser of RE2.
  if (/^\\[DSWBPQAzpCx0-9]/.test(piece)) return undefined;
  if (piece.startsWith("[^")) return /\\[DSWPp]|\[:/.test(piece) ? undefined : `${piece.slice(0, -1)};]`;
  if (piece.startsWith("[")) return admitsSemicolon(piece) ? undefined : piece;
  if (piece.startsWith("(?") && piece !== "(?:" && piece !== "(?i)") return undefined;
  return piece;
}

/** True unless it is plain that the class leaves `;` out: ranges are checked, escapes other than \d, \w and \s are not. */
function admitsSemicolon(charClass: string): boolean {
  const rest = charClass.replace(/\\[dws]/g, "").slice(1, -1);
  if (/\\|\[:/.test(rest)) return true;
  for (const [, from = "", to = ""] of rest.matchAll(/([^])-([^])/g)) {
    if (from <= ";" && ";" <= to) return true;
  }
  return false;
}
