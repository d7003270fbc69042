/** Writes into the statuses of objects what we say of them: once, again when we say something else or others wrote over it, and never for an object that is gone. */
import { backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { inTurns } from "../../lib/in-turns.ts";
import type { Log } from "../../lib/log.ts";
import type { ApiError } from "./api-error.ts";
import type { KubeClient, ObjectPlace } from "./client.ts";
import { conditionTime } from "./conditions.ts";
import { type Raw, record } from "./readers.ts";

/** What the status of one object should say. */
export interface WantedStatus {
  /** For messages and maps: `HTTPRoute shop/web`. */
  readonly key: string;
  readonly place: ObjectPlace;
  /** By this it is known whether it was written; undefined: the object says it already. */
  readonly text: string | undefined;
  /** In whose name it is written, where that is not the name of all that we write. */
  readonly manager?: string;
  /** What to apply to the object that is there now; `at` is the time of now, as conditions have it. */
  readonly applied: (now: Raw, at: string) => object;
}

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, "get" | "apply">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What became of one status. */
interface Entry {
  readonly text: string;
  /** Refusals in a row; 0: it is written. The API server's own word of that comes back only after a while. */
  readonly troubles: number;
  readonly notBefore: number;
}

const waits = { firstMs: 500, longestMs: 30_000 };
/** So that a thousand new routes do not take the API server. */
const atOnce = 4;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** One round: writes what is due. Says whether it wrote anything, and when to look again although nothing happened (undefined: no need). */
  async round(wanted: readonly WantedStatus[], signal: AbortSignal): Promise<{ readonly wrote: boolean; readonly wakeAt: number | undefined }> {
    const toSay = new Map(wanted.flatMap((status) => (status.text === undefined ? [] : [[status.key, status.text]])));
    for (const key of this.#entries.keys()) if (!toSay.has(key)) this.#entries.delete(key);
    const now = this.#options.clock.now();
    const isDue = ({ key, text }: WantedStatus): boolean => {
      const entry = this.#entries.get(key);
      return text !== undefined && (entry?.text !== text || (entry.troubles > 0 && entry.notBefore <= now));
    };
    const due = wanted.filter(isDue);
    const write = (status: WantedStatus) => async (): Promise<void> => {
      const error = await this.#write(status, signal);
      if (!signal.aborted) this.#remember(status, error);
    };
    await inTurns(due.map(write), atOnce, signal);
    const retries = [...this.#entries.values()].flatMap(({ troubles, notBefore }) => (troubles === 0 ? [] : [notBefore]));
    return { wrote: due.length > 0, wakeAt: retries.length === 0 ? undefined : Math.min(...retries) };
  }

  async #write({ place, applied, manager }: WantedStatus, signal: AbortSignal): Promise<ApiError | undefined> {
    const { client, clock } = this.#options;
    const now = await client.get(place, signal);
    if (!now.ok) return now.error;
    const object = applied(record(now.value), conditionTime(clock.now()));
    const answer = await client.apply({ ...place, subresource: "status" }, object, { force: true, signal, ...(manager === undefined ? {} : { manager }) });
    return answer.ok ? undefined : answer.error;
  }

  #remember({ key, text = "" }: WantedStatus, error: ApiError | undefined): void {
    const { clock, log } = this.#options;
    if (error === undefined) {
      log.debug("status", { object: key });
      this.#entries.set(key, { text, troubles: 0, notBefore: 0 });
    } else if (error.kind === "notFound") {
      // There will be news of that.
      this.#entries.delete(key);
    } else {
      const before = this.#entries.get(key);
      const troubles = before?.text === text ? before.troubles + 1 : 1;
      // That it changed meanwhile is nobody's trouble.
      log[error.kind === "conflict" ? "debug" : "warn"]("a status cannot be written; trying again", { object: key, reason: error.message });
      this.#entries.set(key, { text, troubles, notBefore: clock.now() + backoffMs(waits, troubles) });
    }
  }
}
