import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** An empty line this often tells a client that has nothing to read that we live. */
export const heartbeatMs = 15_000;

interface NdjsonOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Answers a stream, one JSON value a line. The first value is awaited, so that a refusal before it still has its status.
 * Values are made only as fast as the client reads them; the generator ends when the client goes away.
 */
export async function ndjson(values: AsyncGenerator, { signal, clock, log }: NdjsonOptions): Promise<Response> {
  const encoder = new TextEncoder();
  let pending: Promise<IteratorResult<unknown>> | undefined = Promise.resolve(await values.next());
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    pending ??= values.next();
    const next = await withHeartbeat(pending, signal, clock);
    if (next === "nothing") return controller.enqueue(encoder.encode("\n"));
    pending = undefined;
    if (next.done === true) return controller.close();
    controller.enqueue(encoder.encode(`${JSON.stringify(next.value)}\n`));
  };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          await pull(controller);
        } catch (error) {
          log.error("a stream broke", { error: error instanceof Error ? error.stack : String(error) });
          controller.error(error);
        }
      },
      cancel: async () => void (await values.return(undefined)),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/** What comes first: the value or the time for a heartbeat. The timer ends with the value, so nothing outlives the call. */
function withHeartbeat<T>(value: Promise<T>, signal: AbortSignal, clock: Clock): Promise<T | "nothing"> {
  return new Promise((resolve, reject) => {
    const timer = new AbortController();
    value.then(resolve, reject).finally(() => timer.abort());
    if (!signal.aborted) void clock.sleep(heartbeatMs, timer.signal).then(() => resolve("nothing"));
  });
}
