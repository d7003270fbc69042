import { Cell, type Readable } from "../lib/cell.ts";
import type { World } from "../model/world.ts";
import { buildWorld, type WorldInput } from "./build-world.ts";

/** The newest World, and how much of what is declared is in it. */
export interface PublishedWorld {
  readonly world: World;
  /** Version of the declarations it was made from: what was accepted up to there is in it. */
  readonly declaredVersion: number;
}

/** Holds the one mutable pointer to the World. */
export class Registry {
  readonly #published = new Cell<PublishedWorld | undefined>(undefined);

  /** Undefined until the platform has said for the first time what runs. */
  get published(): Readable<PublishedWorld | undefined> {
    return this.#published;
  }

  /** Makes the next World, publishes it when anything changed, and returns what is published now. */
  update(input: WorldInput): PublishedWorld {
    const before = this.#published.get();
    const world = buildWorld(before?.world, input);
    const declaredVersion = input.declared.version;
    if (before !== undefined && before.world === world && before.declaredVersion === declaredVersion) return before;
    const published = { world, declaredVersion };
    this.#published.set(published);
    return published;
  }
}
