import { stackShape } from "./parse-stack.ts";

/** The JSON Schema (draft 2020-12) of weir.yaml, for editors. It knows shapes and words; only the parser knows names that must exist and sums that must hold. */
export function stackSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "weir.yaml",
    description: "What Weir runs, who answers which name, and what is in front",
    ...stackShape.schema,
  };
}
