/** Lists of everything that is no service. */
import type { DataView, ExternalView, RouterView, StackView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { type Column, printList } from "../output.ts";
import { inspect } from "./inspect.ts";

interface Kind<T> {
  readonly noun: string;
  readonly endpoint: string;
  readonly summary: string;
  readonly columns: readonly Column<T>[];
}

function list<T extends { readonly name: string }>({ noun, endpoint, summary, columns }: Kind<T>): Command {
  return {
    path: [noun, "ls"],
    summary,
    output: true,
    where: "both",
    examples: [`${noun} ls`, `${noun} ls -o json`],
    run: async ({ place, namespace, format }: Invocation) => {
      const items = await (await connectToLook({ place, namespaces: [namespace], wide: noun === "stack" })).get<readonly T[]>(
        `/v1/${endpoint}?namespace=${encodeURIComponent(namespace)}`,
      );
      await printList({ items, columns, name: (item) => item.name, empty: `there is no ${noun} here` }, format);
      return exitCode.ok;
    },
  };
}

const name = { title: "NAME", value: (item: { readonly name: string }) => item.name };
const age = { title: "AGE", value: (item: { readonly updatedAt: number }) => formatAge(Date.now() - item.updatedAt) };
const keys = { title: "KEYS", value: (item: DataView) => item.keys.join(",") };

function joined(values: readonly string[]): string {
  return values.length === 0 ? "-" : values.join(",");
}

const routers = list<RouterView>({
  noun: "router",
  endpoint: "routers",
  summary: "routers: their hosts, URL and rules",
  columns: [
    name,
    { title: "HOSTS", value: (router) => joined(router.hosts) },
    { title: "URL", value: (router) => router.url ?? "-" },
    { title: "RULES", value: (router) => router.rules.map((rule) => `${rule.match} ${rule.action} ${rule.target}`).join("\n") },
  ],
});

const externals = list<ExternalView>({
  noun: "external",
  endpoint: "externals",
  summary: "external services: their ports and where they are",
  columns: [name, { title: "PORTS", value: (external) => joined(external.ports) }, { title: "TARGETS", value: (external) => joined(external.targets) }],
});

const stacks = list<StackView>({
  noun: "stack",
  endpoint: "stacks",
  summary: "stacks: what each `up` owns",
  columns: [name, { title: "NAMESPACES", value: (stack) => joined(stack.namespaces) }, { title: "OBJECTS", value: (stack) => String(stack.objects) }, age],
});

const configs = list<DataView>({ noun: "config", endpoint: "configs", summary: "configs and their keys", columns: [name, keys, age] });
const secrets = list<DataView>({ noun: "secret", endpoint: "secrets", summary: "secrets and their keys, never contents", columns: [name, keys, age] });

const router: Command = {
  ...inspect,
  path: ["router", "show"],
  summary: "one router: its rules, its state and what Envoy was told",
  args: [{ syntax: "<name>", description: "NAME" }],
  where: "both",
  examples: ["router show shop", "router show shop -o json"],
  run: (invocation) => inspect.run({ ...invocation, args: [routerRef(invocation.args[0] ?? "")] }),
};

/** `www`, `team-a:www` and `router/www` name the router www. */
function routerRef(name: string): string {
  return name.includes("/") ? name : name.replace(/[^:]*$/, "router/$&");
}

export const lists: readonly Command[] = [routers, router, externals, configs, secrets, stacks];
