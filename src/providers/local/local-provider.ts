import { Cell, type Readable } from "../../lib/cell.ts";
import type { PlatformOrder, PlatformState, Provider } from "../provider.ts";
import { applyOrder } from "./apply.ts";
import { platformState } from "./translate.ts";
import { type WatchOptions, watchAgent } from "./watch.ts";

interface Numbered extends PlatformOrder {
  readonly generation: number;
  /** Counts up to have the same order sent again. */
  readonly attempt: number;
}

/** This machine: the node agent runs the workloads. */
export class LocalProvider implements Provider {
  readonly #options: WatchOptions;
  readonly #state = new Cell<PlatformState | undefined>(undefined);
  readonly #order = new Cell<Numbered | undefined>(undefined);

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  get state(): Readable<PlatformState | undefined> {
    return this.#state;
  }

  apply(order: PlatformOrder): number {
    const known = Math.max(this.#order.get()?.generation ?? 0, this.#state.get()?.generation ?? 0);
    this.#order.set({ ...order, generation: known + 1, attempt: 0 });
    return known + 1;
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#listen(signal), this.#send(signal)]);
  }

  async #listen(signal: AbortSignal): Promise<void> {
    let connected = false;
    for await (const news of watchAgent(this.#options, signal)) {
      if (news.kind === "lost") {
        connected = false;
        this.#state.update((state) => (state === undefined ? undefined : { ...state, connected: false, reason: news.reason }));
        continue;
      }
      this.#state.update((state) => platformState(news.status, state));
      // An agent that came back may have lost what it was told.
      const order = this.#order.get();
      if (!connected && order !== undefined && news.status.generation < order.generation) this.#order.set({ ...order, attempt: order.attempt + 1 });
      connected = true;
    }
  }

  async #send(signal: AbortSignal): Promise<void> {
    for await (const order of this.#order.watch(signal)) {
      if (order !== undefined) await applyOrder(this.#options, order, { signal, isOld: () => this.#order.get() !== order });
    }
  }
}
