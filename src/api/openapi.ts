import { z } from "zod";
import type { Route } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of these routes, made from the schemas that check their input. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "Weir",
      version,
      description:
        "JSON over HTTP on a Unix socket. Streams are NDJSON: one value a line, empty lines are heartbeats. Times are milliseconds since the epoch, weights basis points.",
    },
    paths,
    components: { schemas: { Error: errorSchema } },
  };
}

function operation(route: Route): Json {
  const error = { description: "Problems, each with what to do", content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } };
  return {
    summary: route.summary,
    parameters: [...parameters(route.parameters, "path"), ...parameters(route.query, "query")],
    ...(route.body === undefined ? {} : { requestBody: { required: true, content: { "application/json": { schema: jsonSchema(route.body) } } } }),
    responses: { "200": { description: route.summary, content: { "application/json": {} } }, default: error },
  };
}

function parameters(schema: z.ZodType, place: "path" | "query"): readonly Json[] {
  const { properties = {}, required = [] } = jsonSchema(schema) as { properties?: Readonly<Record<string, Json>>; required?: readonly string[] };
  return Object.entries(properties).map(([name, property]) => ({ name, in: place, required: place === "path" || required.includes(name), schema: property }));
}

function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

const text = { type: "string" };
const errorSchema: Json = {
  type: "object",
  required: ["problems"],
  properties: {
    problems: {
      type: "array",
      items: {
        type: "object",
        required: ["code", "message"],
        properties: {
          code: text,
          message: text,
          hint: text,
          where: { type: "object", properties: { file: text, line: { type: "integer" }, column: { type: "integer" }, text } },
        },
      },
    },
  },
};
