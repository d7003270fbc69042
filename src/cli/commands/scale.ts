import type { ScaleRequest, ServiceView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { appRef, commonNamespace, wholeNumber } from "./names.ts";
import { printChanged } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const scale: Command = {
  path: ["scale"],
  summary: "how many replicas",
  args: [{ syntax: "<targets...>", description: "APP=COUNT or APP@VERSION=COUNT" }],
  options: [{ flags: "--wait", description: "return when all of them are ready, or gone" }],
  output: true,
  where: "both",
  examples: ["scale hello=3", "scale web@v2=0 cart=2 --wait"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const targets = args.map((text) => {
    const cut = text.lastIndexOf("=");
    if (cut < 0) throw failure("scale-invalid", `"${text}" says no count`, { hint: "write APP=COUNT, like hello=3", exit: exitCode.badInput });
    return { ref: appRef(text.slice(0, cut), namespace), count: wholeNumber(text.slice(cut + 1), "the count") };
  });
  const request: ScaleRequest = {
    namespace: commonNamespace(targets.map(({ ref }) => ref)),
    targets: targets.map(({ ref, count }) => ({ app: ref.name, scale: count, ...(ref.version === undefined ? {} : { version: ref.version }) })),
    wait: options.flag("wait"),
  };
  const answer = (await connect({ place, namespaces: [request.namespace] })).post<readonly ServiceView[]>("/v1/scale", request);
  return printChanged(await (request.wait ? whileWaiting("waits for the replicas", answer) : answer), { format, waited: request.wait });
}
