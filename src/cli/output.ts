/** Lists in the form the user asked for. Data goes to stdout, everything else to stderr. */
import { styleText } from "node:util";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";
import { tableText } from "./table.ts";

export const formats = ["table", "wide", "json", "yaml", "name"] as const;
export type Format = (typeof formats)[number];

export interface Column<T> {
  readonly title: string;
  readonly value: (item: T) => string;
  /** Only in `wide`. */
  readonly wide?: boolean;
}

export interface Listing<T> {
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly name: (item: T) => string;
  /** Printed below an item's line in tables. */
  readonly note?: (item: T) => string | undefined;
  /** Said on stderr instead of an empty table. */
  readonly empty: string;
}

/** Checks `-o`. Throws a `Failure` for another word. */
export function parseFormat(text: string | undefined): Format {
  const format = formats.find((known) => known === (text ?? "table"));
  if (format === undefined)
    throw failure("unknown-output", `there is no output format "${text}"`, { hint: `one of ${formats.join(", ")}`, exit: exitCode.badInput });
  return format;
}

/** Prints a list. */
export async function printList<T>(listing: Listing<T>, format: Format): Promise<void> {
  switch (format) {
    case "json":
    case "yaml":
      return printValue(listing.items, format);
    case "name":
      return out(listing.items.map((item) => `${listing.name(item)}\n`).join(""));
    case "table":
    case "wide":
      if (listing.items.length === 0) return say(listing.empty);
      return out(`${listingText(listing, format === "wide")}\n`);
    default:
      format satisfies never;
  }
}

/** Prints two lists: tables one below the other, data as one list. An empty second one is as if it were not there. */
export async function printLists<A, B>(first: Listing<A>, second: Listing<B>, format: Format): Promise<void> {
  if (second.items.length === 0) return printList(first, format);
  if (format === "json" || format === "yaml") return printValue([...first.items, ...second.items], format);
  if (first.items.length > 0) await printList(first, format);
  if (first.items.length > 0 && format !== "name") out("\n");
  return printList(second, format);
}

/** Prints one value; a table's place is taken by YAML, which reads well. */
export async function printValue(value: unknown, format: Format): Promise<void> {
  if (format === "json") return out(`${JSON.stringify(value, null, 2)}\n`);
  const { toYaml } = await import("./yaml.ts");
  out(toYaml(value));
}

function listingText<T>(listing: Listing<T>, wide: boolean): string {
  const columns = listing.columns.filter((column) => wide || column.wide !== true);
  const rows = listing.items.flatMap((item) => {
    const note = listing.note?.(item);
    const cells = columns.map((column) => column.value(item));
    return note === undefined
      ? [cells]
      : [
          cells,
          note
            .split("\n")
            .map((line) => `  ${emphasis("yellow", line)}`)
            .join("\n"),
        ];
  });
  return tableText([columns.map((column) => emphasis("bold", column.title)), ...rows]);
}

/** Colour, only where stdout is a terminal that wants it. */
export function emphasis(style: "bold" | "dim" | "green" | "yellow" | "red" | "cyan", text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Writes data. */
export function out(text: string): void {
  process.stdout.write(text);
}

/** Tells the user something that is no data. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
