/** What may stand where the cursor is. */
import type { ServiceView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import type { Command } from "../command.ts";
import { commands } from "../commands.ts";
import { connectIfRunning } from "../connect.ts";
import { localName, readChosen } from "../context-store.ts";
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
  return (await namesFor(command, namespaceIn(before))) ?? [];
}

function optionsOf(command: Command): readonly string[] {
  const own = (command.options ?? []).flatMap(({ flags }) => flags.match(/--[a-z-]+/) ?? []);
  return [...own, ...(command.namespaced === false ? [] : ["--namespace"]), ...(command.output === true ? ["--output"] : []), "--help"];
}

function namespaceIn(before: readonly string[]): string {
  const at = before.findLastIndex((word) => word === "-n" || word === "--namespace");
  return (at < 0 ? undefined : before[at + 1]) ?? "default";
}

/** Names that a command takes as arguments; undefined: it takes none, or a place in the file system. */
async function namesFor(command: Command, namespace: string): Promise<readonly string[] | undefined> {
  const ask = async (kinds: readonly NameKind[]): Promise<readonly string[]> => {
    const client = await connectIfRunning();
    return client === undefined ? [] : (await Promise.all(kinds.map((kind) => namesOf(client, kind, namespace)))).flat();
  };
  if (command.where !== "anywhere" && readChosen().kind !== "local") return undefined;
  switch (command.path.join(" ")) {
    case "promote":
    case "weight":
      return ask(["versions"]);
    case "rollback":
    case "history":
      return ask(["apps"]);
    case "exec":
    case "logs":
    case "restart":
    case "scale":
    case "stage":
      return ask(["apps", "versions"]);
    case "inspect":
    case "rm":
      return ask(["apps", "versions", "routers", "externals", "configs", "secrets"]);
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

type NameKind = "apps" | "versions" | "routers" | "externals" | "configs" | "secrets" | "stacks";

async function namesOf(client: Client, kind: NameKind, namespace: string): Promise<readonly string[]> {
  const query = `?namespace=${encodeURIComponent(namespace)}`;
  if (kind === "apps" || kind === "versions") {
    const services = await client.get<readonly ServiceView[]>(`/v1/services${query}`);
    return services.map(({ app, version }) => (kind === "apps" ? app : `${app}@${version}`));
  }
  const named = await client.get<readonly { readonly name: string }[]>(`/v1/${kind}${query}`);
  return named.map(({ name }) => (kind === "stacks" ? name : `${kind.slice(0, -1)}/${name}`));
}
