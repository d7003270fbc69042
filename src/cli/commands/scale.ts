import type { ScaleRequest, ServiceView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { appRef, commonNamespace, wholeNumber } from "./names.ts";
import { printChanged } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const scale: Command = {
  path: ["scale"],
  summary: "how many replicas",
  args: [{ syntax: "<targets...>", description: "APP=COUNT, or APP=MIN-MAX to follow the load; APP@VERSION as well" }],
  options: [{ flags: "--wait", description: "return when all of them are ready, or gone" }],
  output: true,
  where: "both",
  examples: ["scale hello=3", "scale web@v2=0 cart=2 --wait", "scale hello=2-5"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const targets = args.map((text) => {
    const cut = text.lastIndexOf("=");
    if (cut < 0) throw failure("scale-invalid", `"${text}" says no count`, { hint: "write APP=COUNT, like hello=3, or APP=MIN-MAX", exit: exitCode.badInput });
    const [least = "", most] = text.slice(cut + 1).split("-");
    const max = most === undefined ? {} : { max: wholeNumber(most, "the largest count") };
    return { ref: appRef(text.slice(0, cut), namespace), scale: wholeNumber(least, "the count"), ...max };
  });
  if (place.kind === "local")
    for (const { ref, scale, max } of targets)
      if (max !== undefined) say(`one machine runs ${scale} of ${ref.name}: the number follows the load on a cluster only`);
  const request: ScaleRequest = {
    namespace: commonNamespace(targets.map(({ ref }) => ref)),
    targets: targets.map(({ ref, ...counts }) => ({ app: ref.name, ...counts, ...(ref.version === undefined ? {} : { version: ref.version }) })),
    wait: options.flag("wait"),
  };
  const answer = (await connect({ place, namespaces: [request.namespace] })).post<readonly ServiceView[]>("/v1/scale", request);
  return printChanged(await (request.wait ? whileWaiting("waits for the replicas", answer) : answer), { format, waited: request.wait });
}
