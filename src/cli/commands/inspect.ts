import type { InspectView } from "../../api/contract.ts";
import type { Namespace } from "../../model/names.ts";
import { parseRef } from "../../model/ref.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { printValue } from "../output.ts";
import { checked } from "./names.ts";

export const inspect: Command = {
  path: ["inspect"],
  summary: "everything about one thing: what is declared, what runs, what Envoy was told",
  args: [{ syntax: "<ref>", description: "APP, APP@VERSION, JOB, router/NAME, external/NAME, config/NAME, secret/NAME" }],
  output: true,
  where: "both",
  examples: ["inspect web@v2", "inspect router/shop -o json"],
  run,
};

async function run({ args, place, namespace, format }: Invocation): Promise<number> {
  const text = args[0] ?? "";
  const ref = checked(parseRef(text, namespace as Namespace));
  const client = await connectToLook({ place, namespaces: [ref.namespace] });
  await printValue(await client.get<InspectView>(`/v1/inspect/${ref.namespace}/${encodeURIComponent(text.slice(text.indexOf(":") + 1))}`), format);
  return exitCode.ok;
}
