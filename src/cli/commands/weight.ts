/** Traffic between versions: weight, promote, rollback, history. */
import type { HistoryEntry, PromoteRequest, RollbackRequest, WeightRequest, WeightsView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import { formatDuration } from "../../lib/duration.ts";
import type { Namespace } from "../../model/names.ts";
import { parseWeightArg } from "../../model/ref.ts";
import type { Command, Invocation } from "../command.ts";
import { connect, connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { out, printList, printValue } from "../output.ts";
import { allChecked, appRef, commonNamespace, durationOption, versionRef, wholeNumber } from "./names.ts";
import { percent } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

const duration = { flags: "--duration <time>", description: "how long the traffic takes to move, like 10s or 5m (default: at once)" };
const wait = { flags: "--wait", description: "return when it is true in Envoy" };

export const weight: Command = {
  path: ["weight"],
  summary: "move traffic between versions; the others move in proportion, the sum stays 100 %",
  args: [{ syntax: "<weights...>", description: "APP@VERSION=PERCENT, several for one app at once" }],
  options: [duration, wait],
  output: true,
  where: "both",
  examples: ["weight web@v2=10 --duration 10s", "weight web@v1=20 web@v2=80 --wait"],
  run: runWeight,
};

export const promote: Command = {
  path: ["promote"],
  summary: "give one version all of its app's traffic",
  args: [{ syntax: "<version>", description: "APP@VERSION" }],
  options: [duration, wait],
  output: true,
  where: "both",
  examples: ["promote web@v2 --wait", "promote web@v2 --duration 5m"],
  run: runPromote,
};

export const rollback: Command = {
  path: ["rollback"],
  summary: "the weights as they were before the last change, or at a revision of the history",
  args: [{ syntax: "<app>", description: "APP" }],
  options: [{ flags: "--to <revision>", description: "a number from `weir history APP`" }, wait],
  output: true,
  where: "both",
  examples: ["rollback web --wait", "rollback web --to 3"],
  run: runRollback,
};

export const history: Command = {
  path: ["history"],
  summary: "every change of an app's weights, newest first",
  args: [{ syntax: "<app>", description: "APP" }],
  output: true,
  where: "both",
  examples: ["history web", "history web -o json"],
  run: runHistory,
};

async function runWeight(invocation: Invocation): Promise<number> {
  const args = allChecked(invocation.args.map((text) => parseWeightArg(text, invocation.namespace as Namespace)));
  const apps = [...new Set(args.map((arg) => arg.app))];
  const [app] = apps;
  if (app === undefined || apps.length > 1)
    throw failure("apps-differ", `one command moves the traffic of one app, not of ${apps.join(" and ")}`, { exit: exitCode.badInput });
  const request: WeightRequest = {
    namespace: commonNamespace(args),
    app,
    weights: Object.fromEntries(args.map((arg) => [arg.version, arg.weight])),
    durationMs: durationOption(invocation.options.text("duration"), "duration", 0),
    wait: invocation.options.flag("wait"),
  };
  return change("/v1/weight", request, invocation);
}

function runPromote(invocation: Invocation): Promise<number> {
  const ref = versionRef(invocation.args[0] ?? "", invocation.namespace);
  const request: PromoteRequest = {
    namespace: ref.namespace,
    app: ref.name,
    version: ref.version,
    durationMs: durationOption(invocation.options.text("duration"), "duration", 0),
    wait: invocation.options.flag("wait"),
  };
  return change("/v1/promote", request, invocation);
}

function runRollback(invocation: Invocation): Promise<number> {
  const ref = appRef(invocation.args[0] ?? "", invocation.namespace);
  const to = invocation.options.text("to");
  const request: RollbackRequest = {
    namespace: ref.namespace,
    app: ref.name,
    wait: invocation.options.flag("wait"),
    ...(to === undefined ? {} : { revision: wholeNumber(to, "--to") }),
  };
  return change("/v1/rollback", request, invocation);
}

async function change(path: string, request: { readonly namespace: string; readonly wait: boolean }, { place, format }: Invocation): Promise<number> {
  const client = await connect({ place, namespaces: [request.namespace] });
  const answer = client.post<WeightsView>(path, request);
  const view = await (request.wait ? whileWaiting("waits until it is true in Envoy", answer) : answer);
  if (format === "json" || format === "yaml") await printValue(view, format);
  else out(`${describe(view)}\n`);
  return exitCode.ok;
}

function describe(view: WeightsView): string {
  const versions = Object.keys(view.target).map((version) => {
    const [before, after] = [percent(view.before[version] ?? 0), percent(view.target[version] ?? 0)];
    return `${view.app}@${version} ${before === after ? after : `${before} → ${after}`}`;
  });
  const over = view.durationMs > 0 ? ` over ${formatDuration(view.durationMs)}` : "";
  return `${versions.join(", ")}${over}${view.inEnvoyMs === undefined ? "" : " (true in Envoy)"}`;
}

async function runHistory(invocation: Invocation): Promise<number> {
  const ref = appRef(invocation.args[0] ?? "", invocation.namespace);
  const client = await connectToLook({ place: invocation.place, namespaces: [ref.namespace] });
  const items = await client.get<readonly HistoryEntry[]>(`/v1/apps/${ref.namespace}/${ref.name}/history`);
  const now = Date.now();
  await printList(
    {
      items,
      columns: [
        { title: "REVISION", value: (entry) => String(entry.revision) },
        { title: "AGE", value: (entry) => formatAge(now - entry.at) },
        { title: "CHANGE", value: (entry) => `${entry.change}${entry.durationMs > 0 ? ` over ${formatDuration(entry.durationMs)}` : ""}` },
        {
          title: "WEIGHTS",
          value: (entry) =>
            Object.entries(entry.weights)
              .map(([version, share]) => `${version} ${percent(share)}`)
              .join(", "),
        },
      ],
      name: (entry) => String(entry.revision),
      empty: "no change yet",
    },
    invocation.format,
  );
  return exitCode.ok;
}
