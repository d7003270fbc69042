import type { Problem, Result, SourcePlace } from "../../lib/problem.ts";

/** More would only scroll the first ones away. */
const mostProblems = 100;

const unseenSyntax = { message: "this is no YAML; it is not shown, for it may be a secret", hint: "write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}}" };

/** Any top-level key that begins like it counts: a misspelt one holds secrets all the same. */
const secretsStart = /^["']?sec|(^|[{,])\s*["']?secrets["']?\s*:/i;
const secretsEnd = /^["']?(weir|stack|namespaces?|services|jobs|routers|externalServices|configs)["']?\s*:/;

/** Says of each line whether it may belong to `secrets:`. By text alone, for the file may be no YAML; in doubt yes. */
function linesOfSecrets(lines: readonly string[]): readonly boolean[] {
  let isInside = false;
  return lines.map((line) => {
    if (secretsEnd.test(line)) isInside = false;
    if (secretsStart.test(line)) isInside = true;
    return isInside;
  });
}

/** Turns offsets in a file's text into places and collects what is wrong there. */
export class Report {
  readonly #file: string;
  readonly #text: string;
  readonly #lineStarts: readonly number[];
  /** By line: it may hold a secret, so no message shows it. */
  readonly #hidden: readonly boolean[];
  readonly #found: { readonly at: number; readonly problem: Problem }[] = [];
  #count = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map((newline) => newline.index + 1)];
    this.#hidden = linesOfSecrets(text.split("\n"));
  }

  /** How many problems were found so far: compare before and after to learn whether something is sound. */
  get count(): number {
    return this.#count;
  }

  /** Returns line, column (UTF-16 units, from 1) and the line itself of an offset; not the line where secrets are declared. */
  place(at: number): SourcePlace {
    const line = this.#lineOf(at);
    const start = this.#lineStarts[line] ?? 0;
    const end = this.#lineStarts[line + 1] ?? this.#text.length + 1;
    const place = { file: this.#file, line: line + 1, column: at - start + 1 };
    return this.#hidden[line] === true ? place : { ...place, text: this.#text.slice(start, end - 1).replace(/\r$/, "") };
  }

  /** Notes a problem at an offset. */
  add(at: number, code: string, message: string, hint?: string): void {
    this.addProblem(at, { code, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** Notes a problem that was found elsewhere (an argument reader) at an offset. */
  addProblem(at: number, problem: Problem): void {
    this.#count += 1;
    if (this.#found.length >= mostProblems) return;
    const where = this.place(at);
    // The YAML library's words, and ours about YAML, may quote what stands there.
    const said = problem.code === "yaml-syntax" && where.text === undefined ? { code: problem.code, ...unseenSyntax } : problem;
    this.#found.push({ at, problem: { ...said, where } });
  }

  /** Notes a problem without showing the line: it may hold a secret. */
  addUnseen(at: number, code: string, message: string, hint: string): void {
    this.#count += 1;
    const { file, line, column } = this.place(at);
    if (this.#found.length < mostProblems) this.#found.push({ at, problem: { code, message, where: { file, line, column }, hint } });
  }

  /** Returns `value`, or all problems in the order of the file when there are any. */
  result<T>(value: T): Result<T> {
    if (this.#count === 0) return { ok: true, value };
    const problems = this.#found.toSorted((a, b) => a.at - b.at).map(({ problem }) => problem);
    const more = this.#count - problems.length;
    if (more > 0) problems.push({ code: "problems-more", message: `and ${more} more` });
    return { ok: false, problems };
  }

  #lineOf(at: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
