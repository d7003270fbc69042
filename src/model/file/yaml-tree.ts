/** YAML as a plain tree with an offset for everything: aliases and merge keys resolved, duplicate keys refused, size bounded. */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type ParsedNode, parseDocument } from "yaml";
import { quote } from "../quote.ts";
import type { Report } from "./report.ts";

export interface YamlScalar {
  readonly kind: "scalar";
  readonly at: number;
  /** What the user meant as text: `0x10` stays `0x10`. */
  readonly text: string;
  /** As YAML's core schema understands it. */
  readonly value: unknown;
}

export interface YamlList {
  readonly kind: "list";
  readonly at: number;
  readonly items: readonly YamlNode[];
}

export interface YamlEntry {
  readonly key: string;
  readonly keyAt: number;
  readonly node: YamlNode;
}

export interface YamlMap {
  readonly kind: "map";
  readonly at: number;
  readonly entries: readonly YamlEntry[];
}

export type YamlNode = YamlScalar | YamlList | YamlMap;

const longestText = 1024 * 1024;
const deepest = 64;
/** Nodes after aliases and merges are written out: what a file may make us do. */
const mostNodes = 50_000;

const hints: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'put the value in quotes if it contains ": "',
  MULTILINE_IMPLICIT_KEY: "is a colon missing, or a quote not closed?",
  MULTIPLE_DOCS: "one file holds one stack: remove the ---",
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent with the same number of spaces as the lines around it",
};

/**
 * Reads YAML 1.2 text. Returns undefined when problems were reported (`yaml-syntax`, `yaml-too-big`, `duplicate-key`, …)
 * that leave nothing to go on. An empty file is an empty map. Never throws.
 */
export function readYaml(text: string, report: Report): YamlNode | undefined {
  if (text.length > longestText) {
    report.add(0, "yaml-too-big", `the file has ${text.length} characters`, `at most ${longestText} are read`);
    return undefined;
  }
  const document = parse(text);
  if (document === undefined) return tooDeep(report);
  const faults = [...document.errors, ...document.warnings];
  // Depending on where the stack ends the library throws or says so.
  if (faults.some(({ message }) => message.startsWith("Maximum call stack"))) return tooDeep(report);
  // The library says some things twice.
  const said = new Map(faults.map((fault) => [`${fault.pos[0]} ${fault.message}`, fault]));
  for (const fault of said.values()) report.add(Math.min(fault.pos[0], text.length), "yaml-syntax", fault.message.replace(/\.$/, ""), hints[fault.code]);
  if (faults.length > 0) return undefined;
  if (document.contents === null) return { kind: "map", at: 0, entries: [] };
  const builder = new TreeBuilder(report);
  const tree = builder.node(document.contents, 0, 0);
  if (!builder.isExhausted) return tree;
  report.add(0, "yaml-too-big", `the file has more than ${mostNodes} values`, "use fewer aliases, or several files");
  return undefined;
}

function tooDeep(report: Report): undefined {
  report.add(0, "yaml-too-big", "the file is nested too deeply");
  return undefined;
}

function parse(text: string): Document.Parsed | undefined {
  try {
    // Duplicates are found here in one pass: the library compares each key with each other one.
    return parseDocument(text, { version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
  } catch (error) {
    // The library recurses: thousands of nested brackets exhaust the stack.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class TreeBuilder {
  readonly #report: Report;
  readonly #anchors = new Map<string, { readonly node: YamlNode; readonly size: number }>();
  #left = mostNodes;

  constructor(report: Report) {
    this.#report = report;
  }

  get isExhausted(): boolean {
    return this.#left < 0;
  }

  /** Converts one node. `ownerAt` is where to point when there is nothing there. */
  node(node: unknown, ownerAt: number, depth: number): YamlNode {
    const before = this.#left;
    this.#left -= 1;
    const tree = this.#convert(node, ownerAt, depth);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, { node: tree, size: before - this.#left });
    return tree;
  }

  #convert(node: unknown, ownerAt: number, depth: number): YamlNode {
    const at = startOf(node) ?? ownerAt;
    if (depth > deepest) {
      this.#report.add(at, "yaml-too-big", `more than ${deepest} levels are nested`);
      return nothing(at);
    }
    if (this.isExhausted) return nothing(at);
    if (isAlias(node)) return this.#alias(node.source, at);
    if (isMap(node)) return { kind: "map", at, entries: this.#entries(node.items, at, depth) };
    if (isSeq(node)) return { kind: "list", at, items: node.items.map((item) => this.node(item, at, depth + 1)) };
    if (!isScalar(node)) return nothing(ownerAt);
    if (node.value === null && node.source === "") return nothing(ownerAt);
    return { kind: "scalar", at, text: typeof node.value === "string" ? node.value : (node.source ?? String(node.value)), value: node.value };
  }

  /** An anchor counts once it is complete, so an alias can't contain itself. */
  #alias(name: string, at: number): YamlNode {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#report.add(at, "yaml-syntax", `the alias *${name} stands for nothing before it`);
      return nothing(at);
    }
    this.#left -= target.size;
    return target.node;
  }

  #entries(pairs: readonly unknown[], mapAt: number, depth: number): readonly YamlEntry[] {
    const own = new Map<string, YamlEntry>();
    const merged = new Map<string, YamlEntry>();
    for (const pair of pairs) {
      if (this.isExhausted) break;
      if (!isPair(pair)) continue;
      const keyAt = startOf(pair.key) ?? mapAt;
      const key = this.#key(pair.key, keyAt);
      const node = this.node(pair.value, keyAt, depth + 1);
      if (key === undefined) continue;
      if (key === "<<" && isPlain(pair.key)) this.#merge(node, merged);
      else if (own.has(key)) this.#duplicate(key, keyAt, own.get(key)?.keyAt ?? 0);
      else own.set(key, { key, keyAt, node });
    }
    return [...own.values(), ...[...merged.values()].filter(({ key }) => !own.has(key))];
  }

  #duplicate(key: string, at: number, firstAt: number): void {
    this.#report.add(at, "duplicate-key", `the key ${quote(key)} is here twice`, `the first is on line ${this.#report.place(firstAt).line}`);
  }

  #key(key: unknown, at: number): string | undefined {
    const node = isScalar(key) || isAlias(key) ? this.node(key, at, 0) : undefined;
    if (node?.kind === "scalar" && node.value !== null) return node.text;
    if (!this.isExhausted) this.#report.add(at, "yaml-syntax", "a key must be text");
    return undefined;
  }

  /** `<<: *base` or `<<: [*a, *b]`: what comes first wins, the map's own keys win over all. */
  #merge(node: YamlNode, merged: Map<string, YamlEntry>): void {
    for (const source of node.kind === "list" ? node.items : [node]) {
      if (source.kind !== "map") {
        this.#report.add(source.at, "yaml-syntax", "only maps can be merged with <<");
        continue;
      }
      this.#left -= source.entries.length;
      if (this.isExhausted) return;
      for (const entry of source.entries) if (!merged.has(entry.key)) merged.set(entry.key, entry);
    }
  }
}

function startOf(node: unknown): number | undefined {
  return (node as ParsedNode | null | undefined)?.range?.[0];
}

function isPlain(key: unknown): boolean {
  return isScalar(key) && key.type === "PLAIN";
}

function nothing(at: number): YamlScalar {
  return { kind: "scalar", at, text: "", value: null };
}
