import type { Command } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { out } from "../output.ts";

export const schema: Command = {
  path: ["schema"],
  summary: "the JSON Schema of weir.yaml, for editors",
  namespaced: false,
  where: "anywhere",
  examples: ["schema > weir.schema.json"],
  run,
};

async function run(): Promise<number> {
  // Lazy: no other command needs the parser to start.
  const { stackSchema } = await import("../../model/stack-schema.ts");
  out(`${JSON.stringify(stackSchema(), null, 2)}\n`);
  return exitCode.ok;
}
