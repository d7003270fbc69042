/** What may stand where the cursor is. */
import type { ServiceView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import { clusterOptions } from "../cluster-options.ts";
import type { Command } from "../command.ts";
import { commands } from "../commands.ts";
import { connectIfRunning, connectToLook } from "../connect.ts";
import { localName, placeOf } from "../context-store.ts";
import { formats } from "../output.ts";

/** Words after `weir`; the last one is in progress, and may be empty. Answers those that begin with it; none where a shell's own (files) are better. */
export async function completionWords(typed: readonly string[]): Promise<readonly string[]> {
  const before = typed.slice(0, -1);
  const current = typed.at(-1) ?? "";
  const all = before.includes("--") ? [] : await candidates(before, current);
  return [...new Set(all)].filter((word) => word.startsWith(current));
}

async function candidates(before: readonly string[], current: string): Promise<readonly string[]> {
  const command = commands.find(({ path }) => path.every((word, index) => before[index] === word));
  if (command === undefined) {
    const following = commands.filter(({ path }) => path.length > before.length && before.every((word, index) => path[index] === word));
    return following.map(({ path }) => path[before.length] ?? "");
  }
  const previous = before.at(-1);
  if (command.output === true && (previous === "-o" || previous === "--output")) return formats;
  if (current.startsWith("-")) return optionsOf(command);
  return (await namesFor(command, before)) ?? [];
}

function optionsOf(command: Command): readonly string[] {
  const onCluster = command.where === "both" || command.where === "cluster";
  const own = [...(command.options ?? []), ...(onCluster ? clusterOptions : [])].flatMap(({ flags }) => flags.match(/--[a-z-]+/) ?? []);
  return [...own, ...(command.namespaced === false ? [] : ["--namespace"]), ...(command.output === true ? ["--output"] : []), "--help"];
}

/** The value that was typed for an option. */
function typedFor(before: readonly string[], ...names: readonly string[]): string | undefined {
  const at = before.findLastIndex((word) => names.includes(word));
  return at < 0 ? undefined : before[at + 1];
}

/** Whoever can name what runs; undefined where nothing does. */
async function connectTyped(command: Command, before: readonly string[]): Promise<{ readonly client: Client; readonly namespace: string } | undefined> {
  const typed = { context: typedFor(before, "--context"), kubeconfig: typedFor(before, "--kubeconfig") };
  const place = placeOf(command, {
    text: (name) => (name === "context" || name === "kubeconfig" ? typed[name] : undefined),
    flag: () => false,
    many: () => [],
  });
  const said = typedFor(before, "-n", "--namespace");
  if (place.kind === "local") {
    const client = await connectIfRunning();
    return client === undefined ? undefined : { client, namespace: said ?? "default" };
  }
  const { namespaceOf } = await import("../cluster/contexts.ts");
  const namespace = said ?? namespaceOf(place) ?? "default";
  return { client: await connectToLook({ place, namespaces: [namespace] }), namespace };
}

/** Names that a command takes as arguments; undefined: it takes none, or a place in the file system. */
async function namesFor(command: Command, before: readonly string[]): Promise<readonly string[] | undefined> {
  const ask = async (kinds: readonly NameKind[]): Promise<readonly string[]> => {
    const typed = await connectTyped(command, before);
    if (typed === undefined) return [];
    return (await Promise.all(kinds.map((kind) => namesOf(typed.client, kind, typed.namespace)))).flat();
  };
  switch (command.path.join(" ")) {
    case "promote":
    case "weight":
      return ask(["versions"]);
    case "rollback":
    case "history":
      return ask(["apps"]);
    case "logs":
    case "restart":
    case "exec":
    case "attach":
      return ask(["apps", "versions", "jobs"]);
    case "port-forward":
    case "scale":
    case "stage":
      return ask(["apps", "versions"]);
    case "inspect":
    case "rm":
      return ask(["apps", "versions", "jobs", "routers", "externals", "configs", "secrets"]);
    case "router show":
      return (await ask(["routers"])).map((name) => name.slice("router/".length));
    case "down":
      return ask(["stacks"]);
    case "completion":
      return ["bash", "zsh", "fish"];
    case "context use":
      return [localName, ...(await import("../cluster/contexts.ts")).clusterContexts(undefined).map(({ name }) => name)];
    case "explain":
      return [...(await import("../../model/problem-codes.ts")).problemCodes.keys()];
    default:
      return undefined;
  }
}

type NameKind = "apps" | "versions" | "jobs" | "routers" | "externals" | "configs" | "secrets" | "stacks";

async function namesOf(client: Client, kind: NameKind, namespace: string): Promise<readonly string[]> {
  const query = `?namespace=${encodeURIComponent(namespace)}`;
  if (kind === "apps" || kind === "versions") {
    const services = await client.get<readonly ServiceView[]>(`/v1/services${query}`);
    return services.map(({ app, version }) => (kind === "apps" ? app : `${app}@${version}`));
  }
  const named = await client.get<readonly { readonly name: string }[]>(`/v1/${kind}${query}`);
  return named.map(({ name }) => (kind === "stacks" ? name : `${kind.slice(0, -1)}/${name}`));
}
