/** The keys by which people leave a container that they are attached to, as in Docker: Ctrl-P, then Ctrl-Q. */
const [ctrlP, ctrlQ] = [0x10, 0x11];

export class DetachKeys {
  #isHalf = false;

  /** What of the typed the container should hear, and whether to leave. A Ctrl-P is held back until the next key. */
  hear(typed: Buffer): { readonly data: Buffer; readonly detach: boolean } {
    const heard: number[] = [];
    for (const key of typed) {
      if (this.#isHalf && key === ctrlQ) return { data: Buffer.from(heard), detach: true };
      if (this.#isHalf) heard.push(ctrlP);
      this.#isHalf = key === ctrlP;
      if (!this.#isHalf) heard.push(key);
    }
    return { data: Buffer.from(heard), detach: false };
  }
}
