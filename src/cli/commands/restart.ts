import type { RestartRequest, ServiceView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { appRef, commonNamespace } from "./names.ts";
import { printChanged } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const restart: Command = {
  path: ["restart"],
  summary: "replace every replica, new before old, without losing a request",
  args: [{ syntax: "<apps...>", description: "APP or APP@VERSION" }],
  options: [{ flags: "--wait", description: "return when the old ones are gone" }],
  output: true,
  where: "both",
  examples: ["restart web", "restart web@v2 --wait"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const refs = args.map((text) => appRef(text, namespace));
  const request: RestartRequest = {
    namespace: commonNamespace(refs),
    targets: refs.map((ref) => ({ app: ref.name, ...(ref.version === undefined ? {} : { version: ref.version }) })),
    wait: options.flag("wait"),
  };
  const answer = (await connect({ place, namespaces: [request.namespace] })).post<readonly ServiceView[]>("/v1/restart", request);
  return printChanged(await (request.wait ? whileWaiting("waits until every replica is replaced", answer) : answer), { format, waited: request.wait });
}
