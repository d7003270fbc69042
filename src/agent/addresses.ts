/** Which address of 100.64.0.0/10 each workload has. The same id keeps its address, also over a restart of the node; a freed one rests as long as possible. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const first = 1;
/** 2^22 addresses, without the last. */
const last = 4_194_302;

interface Saved {
  readonly next: number;
  readonly taken: Readonly<Record<string, number>>;
}

export class Addresses {
  readonly #file: string;
  readonly #taken = new Map<string, number>();
  #next = first;

  /** Goes on where `file` ends. */
  constructor(file: string) {
    this.#file = file;
    const saved = load(file);
    if (saved === undefined) return;
    this.#next = saved.next;
    for (const [id, number] of Object.entries(saved.taken)) this.#taken.set(id, number);
  }

  /** The address of a workload; a new one when it has none. Throws when all are taken. */
  take(id: string): string {
    const known = this.#taken.get(id);
    if (known !== undefined) return toAddress(known);
    const used = new Set(this.#taken.values());
    if (used.size >= last) throw new Error("no address is left");
    while (used.has(this.#next)) this.#next = this.#next === last ? first : this.#next + 1;
    const number = this.#next;
    this.#next = number === last ? first : number + 1;
    this.#taken.set(id, number);
    this.#save();
    return toAddress(number);
  }

  /** Frees the addresses of all others. */
  keepOnly(ids: ReadonlySet<string>): void {
    const gone = [...this.#taken.keys()].filter((id) => !ids.has(id));
    for (const id of gone) this.#taken.delete(id);
    if (gone.length > 0) this.#save();
  }

  #save(): void {
    const saved: Saved = { next: this.#next, taken: Object.fromEntries(this.#taken) };
    writeFileSync(`${this.#file}.new`, JSON.stringify(saved), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function load(file: string): Saved | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Saved;
  } catch {
    return undefined;
  }
}

function toAddress(number: number): string {
  return `100.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
