/** The API in this very process, in front of a cluster: no daemon, no socket, the user's own rights. */
import { openFront } from "../../front/connect.ts";
import { type Client, readValues, refused } from "../client.ts";
import type { Place } from "../command.ts";
import { version } from "../version.ts";
import { clusterOf, orFail } from "./connect.ts";

interface FrontNeed {
  readonly place: Extract<Place, { kind: "cluster" }>;
  readonly namespaces: readonly string[];
  readonly wide?: boolean;
}

/** A client of the cluster that is meant; `close` ends its watches. Throws a `Failure` when the cluster cannot be reached, has no Weir, or shows us nothing. */
export async function connectFront({ place, namespaces, wide = false }: FrontNeed): Promise<{ readonly client: Client; readonly close: () => void }> {
  const front = orFail(await openFront({ cluster: clusterOf(place), namespaces, wide, version }));
  return { client: clientOf(front.fetch), close: front.close };
}

type Fetch = (request: Request) => Promise<Response>;

function clientOf(fetch: Fetch): Client {
  const send = (method: string, path: string, options: { readonly body?: unknown; readonly signal?: AbortSignal }): Promise<Response> => {
    const { body, signal } = options;
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return fetch(new Request(`http://front${path}`, { method, ...sent, ...(signal === undefined ? {} : { signal }) }));
  };
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await send(method, path, { body });
    const text = await response.text();
    if (!response.ok) throw refused(response.status, text);
    return JSON.parse(text) as T;
  };
  return {
    get: (path) => json("GET", path),
    post: (path, body) => json("POST", path, body),
    async *stream<T>(method: "GET" | "POST", path: string, options: { readonly body?: unknown; readonly signal?: AbortSignal } = {}): AsyncGenerator<T> {
      const response = await send(method, path, options);
      if (!response.ok) throw refused(response.status, await response.text());
      if (response.body !== null) yield* readValues<T>(response.body.pipeThrough(new TextDecoderStream()));
    },
  };
}
