/** The contexts of kubeconfigs. Only names and addresses are read here: logging in is @kubernetes/client-node's, which takes half a second to load. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";

export interface ClusterContext {
  readonly name: string;
  /** The API server's address. */
  readonly server: string;
  /** Whether kubectl would use it. */
  readonly current: boolean;
}

/** All contexts, of two with one name the first, as kubectl does it. `file`: of this one only. Throws a `Failure` for a file that is none. */
export function clusterContexts(file: string | undefined): readonly ClusterContext[] {
  const configs = files(file).map(read);
  const current = configs.map((config) => config["current-context"]).find((name) => typeof name === "string" && name !== "");
  const clusters = new Map(configs.flatMap((config) => named(config["clusters"], "cluster")).toReversed());
  const contexts = new Map(configs.flatMap((config) => named(config["contexts"], "context")).toReversed());
  return [...contexts].toReversed().map(([name, context]) => {
    const server = clusters.get(String(context["cluster"]))?.["server"];
    return { name, server: typeof server === "string" ? server : "-", current: name === current };
  });
}

/** The namespace of the context that is meant; undefined when it says none. Throws a `Failure` for a file that is none. */
export function namespaceOf({ context, kubeconfig }: { readonly context?: string; readonly kubeconfig?: string }): string | undefined {
  const configs = files(kubeconfig).map(read);
  const name = context ?? configs.map((config) => config["current-context"]).find((current) => typeof current === "string" && current !== "");
  const contexts = new Map(configs.flatMap((config) => named(config["contexts"], "context")).toReversed());
  const namespace = contexts.get(String(name))?.["namespace"];
  return typeof namespace === "string" && namespace !== "" ? namespace : undefined;
}

function files(file: string | undefined): readonly string[] {
  const variable = process.env["KUBECONFIG"] ?? "";
  const usual = variable === "" ? [path.join(homedir(), ".kube/config")] : variable.split(path.delimiter).filter((name) => name !== "");
  const present = (file === undefined ? usual : [file]).filter((name) => existsSync(name));
  if (file !== undefined && present.length === 0)
    throw failure("kubeconfig-missing", `there is no ${file}`, { hint: "name a kubeconfig that exists", exit: exitCode.badInput });
  return present;
}

type Fields = Readonly<Record<string, unknown>>;

function read(file: string): Fields {
  try {
    const value: unknown = parse(readFileSync(file, "utf8"));
    return fields(value);
  } catch (error) {
    throw failure("kubeconfig-invalid", `${file}: ${(error as Error).message.split("\n")[0] ?? ""}`, { exit: exitCode.badInput });
  }
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function named(value: unknown, inner: string): readonly (readonly [string, Fields])[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.map(fields).flatMap((item) => (typeof item["name"] === "string" ? [[item["name"], fields(item[inner])] as const] : []));
}
