/** HTTP: finds the route, checks the input, answers JSON, NDJSON or problems. Nothing that a client sends may end the daemon. */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import type { Problem } from "../lib/problem.ts";
import type { ApiContext } from "./context.ts";
import type { ApiError } from "./contract.ts";
import { ndjson } from "./ndjson.ts";
import { openApiDocument } from "./openapi.ts";
import { Refusal } from "./refusal.ts";
import type { Route } from "./route.ts";

const maxBodyBytes = 16 * 1024 * 1024;

/** The application; `signal` aborts when the daemon ends, so that streams end, too. */
export function createApi(context: ApiContext, routes: readonly Route[], signal: AbortSignal): Hono {
  const app = new Hono();
  const tooLarge = (c: Context) => answerProblems(c, 413, [{ code: "body-too-large", message: `the request has more than ${maxBodyBytes} bytes` }]);
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge }));
  app.get("/v1/openapi.json", (c) => c.json(openApiDocument(routes, context.about.version)));
  for (const route of routes) app.on(route.method, honoPath(route.path), (c) => answer(c, context, { route, signal }));
  app.notFound((c) =>
    answerProblems(c, 404, [{ code: "route-unknown", message: `there is no ${c.req.method} ${c.req.path}`, hint: "GET /v1/openapi.json lists what there is" }]),
  );
  app.onError((error, c) => {
    if (error instanceof Refusal) return answerProblems(c, error.status, error.problems);
    if ("errcode" in error)
      return answerProblems(c, 503, [{ code: "store-unwritable", message: `nothing was changed: ${error.message}`, hint: "is the disk full?" }]);
    context.log.error("unexpected in a request", { method: c.req.method, path: c.req.path, error: error.stack ?? error.message });
    return answerProblems(c, 500, [{ code: "internal", message: "something unexpected went wrong; the daemon's log says what", hint: "please report it" }]);
  });
  return app;
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}$/g, ":$1{.+}").replaceAll(/\{(\w+)\}(?=\/)/g, ":$1");
}

async function answer(c: Context, context: ApiContext, { route, signal }: { readonly route: Route; readonly signal: AbortSignal }): Promise<Response> {
  const gone = AbortSignal.any([signal, c.req.raw.signal]);
  const input = {
    body: route.body === undefined ? undefined : check(route.body, await readJson(c), "the request"),
    query: check(route.query, queryOf(c), "the query"),
    path: check(route.parameters, c.req.param(), "the path"),
    signal: gone,
  };
  const value = await route.handle(context, input);
  if (isStream(value)) return ndjson(value, { signal: gone, clock: context.clock, log: context.log });
  return c.json(value as object);
}

async function readJson(c: Context): Promise<unknown> {
  const text = await c.req.text();
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new Refusal(400, [{ code: "request-invalid", message: "the request is not JSON" }]);
  }
}

/** A parameter that is there once is a text, else a list. */
function queryOf(c: Context): Readonly<Record<string, string | readonly string[]>> {
  return Object.fromEntries(Object.entries(c.req.queries()).map(([key, values]) => [key, values.length === 1 ? (values[0] ?? "") : values]));
}

function check(schema: z.ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue): Problem => ({ code: "request-invalid", message: `${what}: ${issue.path.length === 0 ? "" : `${issue.path.join(".")}: `}${issue.message}` }),
  );
  throw new Refusal(400, problems);
}

function isStream(value: unknown): value is AsyncGenerator {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function answerProblems(c: Context, status: 400 | 404 | 409 | 413 | 422 | 500 | 503, problems: readonly Problem[]): Response {
  return c.json({ problems } satisfies ApiError, status);
}
