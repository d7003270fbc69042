/** What an agent must find again after its own restart: the last order, and pods that the guard captured and no order has named yet. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { NodeOrder } from "./contract.ts";
import { parseOrder } from "./parse-order.ts";
import type { GuardedPod } from "./pod-keeper.ts";

export interface Remembered {
  readonly order: NodeOrder;
  readonly guarded: readonly GuardedPod[];
}

export interface Memory {
  load(): Remembered;
  save(what: Remembered): void;
  forget(): void;
}

const nothing: Remembered = { order: { generation: 0, pods: [], meshNamespaces: [], gateways: [] }, guarded: [] };

/** Keeps it in one file of `folder` (made when it is not there), written whole or not at all. An unreadable file counts as none. */
export function fileMemory(folder: string): Memory {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "order.json");
  return {
    load() {
      try {
        const { order, guarded } = JSON.parse(readFileSync(file, "utf8")) as Remembered;
        return { order: parseOrder(order), guarded };
      } catch {
        return nothing;
      }
    },
    save(what) {
      writeFileSync(`${file}.new`, JSON.stringify(what), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
    forget: () => rmSync(file, { force: true }),
  };
}
