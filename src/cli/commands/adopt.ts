import type { AdoptRequest, AdoptView } from "../../api/contract.ts";
import { formatPercent } from "../../model/weights.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out, printValue, say } from "../output.ts";
import { appRef } from "./names.ts";
import { whileWaiting } from "./waiting.ts";

export const adopt: Command = {
  path: ["adopt"],
  summary: "make a Deployment that is there a version of an app: weights and further versions work on it, and nothing of it is changed",
  args: [{ syntax: "<deployment>", description: "name of the Deployment" }],
  options: [
    { flags: "--as <version>", description: "APP or APP@VERSION (default: DEPLOYMENT@v1)" },
    { flags: "--no-wait", description: "return before Envoy has it" },
  ],
  output: true,
  where: "cluster",
  examples: ["adopt web", "adopt cart-service --as cart@v0 -n shop"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const deployment = args[0] ?? "";
  const ref = appRef(options.text("as") ?? deployment, namespace);
  const request: AdoptRequest = { namespace: ref.namespace, deployment, app: ref.name, version: ref.version ?? "v1", wait: options.flag("wait") };
  const answer = (await connect({ place, namespaces: [ref.namespace] })).post<AdoptView>("/v1/adopt", request);
  const view = await (request.wait ? whileWaiting(`waits until Envoy has ${ref.name}@${request.version}`, answer) : answer);
  if (format === "json" || format === "yaml") {
    await printValue(view, format);
    return exitCode.ok;
  }
  const name = `${view.app}@${view.version}`;
  out(`${name}  deployment ${view.deployment}  ${view.ports.join(", ")}  ${formatPercent(view.weight)}${view.inEnvoyMs === undefined ? "" : "  in Envoy"}\n`);
  say(`${view.deployment} stays as it is; a version beside it: weir run -n ${view.app}@NEXT --image IMAGE`);
  return exitCode.ok;
}
