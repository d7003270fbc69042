/** The outcome of splitting a command line. `at` is the offset of what is wrong. */
export type ShellWords =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly at: number; readonly reason: "quote-open" | "needs-shell"; readonly found: string };

const operators = new Set("|&;<>()");

/**
 * Splits a command line into words as a POSIX shell does (quotes and backslashes), but starts no shell:
 * what only a shell could do (`|`, `&&`, `>`, `$NAME`, backquotes) is refused instead of passed on as odd arguments.
 */
export function splitWords(line: string): ShellWords {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const char = line.charAt(at);
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
      continue;
    }
    if (operators.has(char) || isExpansion(line, at)) return { ok: false, at, reason: "needs-shell", found: char };
    if (word === undefined && char === "#") break;
    const part = char === "'" ? singleQuoted(line, at) : char === '"' ? doubleQuoted(line, at) : bare(line, at);
    if (typeof part === "number") return failedAt(line, part, at);
    word = (word ?? "") + part.text;
    at = part.next;
  }
  if (word !== undefined) words.push(word);
  return { ok: true, words };
}

interface Part {
  readonly text: string;
  readonly next: number;
}

/** A number instead of a part: where it went wrong. */
type PartOrOffset = Part | number;

function failedAt(line: string, wrong: number, start: number): ShellWords {
  if (wrong >= line.length) return { ok: false, at: start, reason: "quote-open", found: line.charAt(start) };
  return { ok: false, at: wrong, reason: "needs-shell", found: line.charAt(wrong) };
}

function singleQuoted(line: string, at: number): PartOrOffset {
  const end = line.indexOf("'", at + 1);
  return end < 0 ? line.length : { text: line.slice(at + 1, end), next: end + 1 };
}

function doubleQuoted(line: string, at: number): PartOrOffset {
  let text = "";
  let next = at + 1;
  while (next < line.length) {
    const char = line.charAt(next);
    if (char === '"') return { text, next: next + 1 };
    if (isExpansion(line, next)) return next;
    const escaped = char === "\\" && '$`"\\\n'.includes(line.charAt(next + 1)) && next + 1 < line.length;
    if (escaped) next += 1;
    if (!(escaped && line.charAt(next) === "\n")) text += line.charAt(next);
    next += 1;
  }
  return line.length;
}

function bare(line: string, at: number): PartOrOffset {
  if (line.charAt(at) !== "\\") return { text: line.charAt(at), next: at + 1 };
  if (at + 1 >= line.length) return line.length;
  const escaped = line.charAt(at + 1);
  return { text: escaped === "\n" ? "" : escaped, next: at + 2 };
}

/** `$NAME`, `${`, `$(`, `$1`, `$@`… and backquotes. A lone `$` is text, as in a shell. */
function isExpansion(line: string, at: number): boolean {
  const char = line.charAt(at);
  return char === "`" || (char === "$" && /[A-Za-z0-9_{(@*#?$!-]/.test(line.charAt(at + 1)));
}
