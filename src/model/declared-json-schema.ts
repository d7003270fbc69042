import { z } from "zod";
import type { Kind } from "./declared.ts";
import { valueSchemas } from "./declared-schemas.ts";

/** JSON Schema as far as declared values need it. */
export interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
}

/** The JSON Schema (draft 2020-12) of a declared value, without references. */
export function jsonSchemaOf(kind: Kind): JsonSchema {
  return z.toJSONSchema(valueSchemas[kind], { reused: "inline" }) as JsonSchema;
}
