/** A route of the API as data: what it takes, and what it does. Server and OpenAPI document are both made from a list of them. */
import { z } from "zod";
import type { ApiContext } from "./context.ts";

export interface RouteInput<Body, Query, Path> {
  readonly body: Body;
  readonly query: Query;
  readonly path: Path;
  /** Aborts when the client goes away or the daemon ends. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** With `{name}` for parts of the path; the last one may hold slashes. */
  readonly path: string;
  readonly summary: string;
  readonly body?: z.ZodType;
  readonly query: z.ZodType;
  readonly parameters: z.ZodType;
  /** A generator is answered as NDJSON, everything else as JSON. */
  readonly handle: (context: ApiContext, input: RouteInput<unknown, unknown, unknown>) => unknown;
}

const nothing = z.object({});

interface RouteOptions<Body, Query, Path> {
  readonly summary: string;
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  readonly parameters?: z.ZodType<Path>;
  readonly handle: (context: ApiContext, input: RouteInput<Body, Query, Path>) => unknown;
}

/** Makes a route whose handler has the types of its schemas. `name` is `METHOD /path`. */
export function route<Body = undefined, Query = Readonly<Record<string, never>>, Path = Readonly<Record<string, never>>>(
  name: `${"GET" | "POST"} /${string}`,
  options: RouteOptions<Body, Query, Path>,
): Route {
  const [method = "GET", path = "/"] = name.split(" ");
  return {
    method: method === "POST" ? "POST" : "GET",
    path,
    summary: options.summary,
    ...(options.body === undefined ? {} : { body: options.body }),
    query: options.query ?? nothing,
    parameters: options.parameters ?? nothing,
    handle: (context, input) => options.handle(context, input as RouteInput<Body, Query, Path>),
  };
}
