import type { AdoptRequest, AdoptView } from "../../api/contract.ts";
import { type AdoptedKind, adoptedKinds } from "../../model/adopted.ts";
import { formatPercent } from "../../model/weights.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { out, printValue, say } from "../output.ts";
import { appRef } from "./names.ts";
import { whileWaiting } from "./waiting.ts";

export const adopt: Command = {
  path: ["adopt"],
  summary:
    "make a Deployment, StatefulSet or DaemonSet that is there a version of an app: weights and further versions work on it, and nothing of it is changed",
  args: [{ syntax: "<name>", description: "NAME or KIND/NAME (statefulset/db); the name alone is enough when only one of them has it" }],
  options: [
    { flags: "--as <version>", description: "APP or APP@VERSION (default: NAME@v1)" },
    { flags: "--no-wait", description: "return before Envoy has it" },
  ],
  output: true,
  where: "cluster",
  examples: ["adopt web", "adopt cart-service --as cart@v0 -n shop", "adopt statefulset/db --as database -n shop"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const { kind, name: found } = adoptedRef(args[0] ?? "");
  const ref = appRef(options.text("as") ?? found, namespace);
  const request: AdoptRequest = {
    namespace: ref.namespace,
    ...(kind === undefined ? {} : { kind }),
    name: found,
    app: ref.name,
    version: ref.version ?? "v1",
    wait: options.flag("wait"),
  };
  const answer = (await connect({ place, namespaces: [ref.namespace] })).post<AdoptView>("/v1/adopt", request);
  const view = await (request.wait ? whileWaiting(`waits until Envoy has ${ref.name}@${request.version}`, answer) : answer);
  if (format === "json" || format === "yaml") {
    await printValue(view, format);
    return exitCode.ok;
  }
  const name = `${view.app}@${view.version}`;
  out(
    `${name}  ${view.adopted.kind.toLowerCase()} ${view.adopted.name}  ${view.ports.join(", ")}  ${formatPercent(view.weight)}${view.inEnvoyMs === undefined ? "" : "  in Envoy"}\n`,
  );
  say(`${view.adopted.name} stays as it is; a version beside it: weir run -n ${view.app}@NEXT --image IMAGE`);
  return exitCode.ok;
}

/** What kubectl calls them, too. */
const kindNames: Readonly<Record<AdoptedKind, readonly string[]>> = {
  Deployment: ["deployment", "deployments", "deploy"],
  StatefulSet: ["statefulset", "statefulsets", "sts"],
  DaemonSet: ["daemonset", "daemonsets", "ds"],
};

function adoptedRef(text: string): { readonly kind?: AdoptedKind; readonly name: string } {
  const slash = text.indexOf("/");
  if (slash < 0) return { name: text };
  const word = text.slice(0, slash).toLowerCase();
  const kind = adoptedKinds.find((one) => kindNames[one].includes(word));
  if (kind !== undefined) return { kind, name: text.slice(slash + 1) };
  const hint = "write it like deployment/web, statefulset/db or daemonset/agent";
  throw failure("adopt-kind", `"${text.slice(0, slash)}" is no kind that can be adopted`, { hint, exit: exitCode.badInput });
}
