/** Where commands act. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import type { Command, Invocation } from "../command.ts";
import { type Chosen, localName, readChosen, writeChosen } from "../context-store.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { out, printList, printValue, say } from "../output.ts";

const kubeconfigOption = { flags: "--kubeconfig <file>", description: "another kubeconfig (default: $KUBECONFIG, ~/.kube/config)" };

const list: Command = {
  path: ["context", "list"],
  summary: "this machine, and the clusters of your kubeconfig",
  options: [kubeconfigOption],
  namespaced: false,
  output: true,
  where: "anywhere",
  examples: ["context list", "context list -o json"],
  run: runList,
};

const use: Command = {
  path: ["context", "use"],
  summary: "choose where commands act; remembered until the next choice",
  args: [{ syntax: "<name>", description: "local, or a context of the kubeconfig" }],
  options: [kubeconfigOption],
  namespaced: false,
  where: "anywhere",
  examples: ["context use production", "context use local"],
  run: runUse,
};

const show: Command = {
  path: ["context", "show"],
  summary: "where commands act now",
  namespaced: false,
  output: true,
  where: "anywhere",
  examples: ["context show", "context show -o json"],
  run: runShow,
};

export const context: readonly Command[] = [list, use, show];

interface ContextView {
  readonly name: string;
  readonly kind: "local" | "cluster";
  readonly chosen: boolean;
  /** Of a cluster: its API server. */
  readonly server?: string;
}

async function runList({ options, format }: Invocation): Promise<number> {
  const { clusterContexts } = await import("../cluster/contexts.ts");
  const chosen = readChosen();
  const file = options.text("kubeconfig") ?? (chosen.kind === "cluster" ? chosen.kubeconfig : undefined);
  const clusters = clusterContexts(file).map(({ name, server }): ContextView => ({ name, kind: "cluster", chosen: isChosen(chosen, name), server }));
  const items: readonly ContextView[] = [{ name: localName, kind: "local", chosen: chosen.kind === "local" }, ...clusters];
  const columns = [
    { title: "", value: (item: ContextView) => (item.chosen ? "*" : "") },
    { title: "CONTEXT", value: (item: ContextView) => item.name },
    { title: "WHERE", value: (item: ContextView) => item.server ?? "this machine" },
  ];
  await printList({ items, columns, name: ({ name }) => name, empty: "no context" }, format);
  return exitCode.ok;
}

function isChosen(chosen: Chosen, name: string): boolean {
  return chosen.kind === "cluster" && chosen.context === name;
}

async function runUse({ args, options }: Invocation): Promise<number> {
  const [name = ""] = args;
  const kubeconfig = options.text("kubeconfig");
  if (name === localName && kubeconfig === undefined) {
    writeChosen({ kind: "local" });
    say("commands act on this machine");
    return exitCode.ok;
  }
  const [{ clusterContexts }, { default: path }] = await Promise.all([import("../cluster/contexts.ts"), import("node:path")]);
  const contexts = clusterContexts(kubeconfig);
  const found = contexts.find((one) => one.name === name);
  if (found === undefined) throw unknownContext(name, [localName, ...contexts.map((one) => one.name)]);
  writeChosen({ kind: "cluster", context: name, ...(kubeconfig === undefined ? {} : { kubeconfig: path.resolve(kubeconfig) }) });
  say(`commands act on ${name} (${found.server})`);
  return exitCode.ok;
}

function unknownContext(name: string, known: readonly string[]): Error {
  const near = didYouMean(name, known);
  const hint = near === undefined ? `there ${known.length === 1 ? "is" : "are"} ${known.join(", ")}` : near;
  return failure("kube-context-unknown", `there is no context "${name}"`, { hint, exit: exitCode.notFound });
}

async function runShow({ format }: Invocation): Promise<number> {
  const chosen = readChosen();
  const name = chosen.kind === "local" ? localName : chosen.context;
  if (format === "json" || format === "yaml") await printValue({ name, ...chosen }, format);
  else out(`${name}\n`);
  return exitCode.ok;
}
