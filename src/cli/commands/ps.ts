import { styleText } from "node:util";
import type { JobView, ServiceView, SystemView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { type Format, out, printLists, say } from "../output.ts";
import { jobListing } from "./jobs.ts";
import { proxyWarnings } from "./proxies.ts";
import { serviceListing } from "./services.ts";

export const ps: Command = {
  path: ["ps"],
  summary: "what runs, how much traffic it gets, what is wrong",
  options: [
    { flags: "-A, --all-namespaces", description: "of every namespace" },
    { flags: "-w, --watch", description: "again whenever something changes, until Ctrl-C" },
  ],
  output: true,
  where: "both",
  examples: ["ps", "ps -A -o wide", "ps -o json", "ps --watch"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { format, place } = invocation;
  const wide = invocation.options.flag("allNamespaces");
  const client = await connectToLook({ place, namespaces: [invocation.namespace], wide });
  const namespace = encodeURIComponent(wide ? "*" : invocation.namespace);
  if (!invocation.options.flag("watch")) {
    const [services, jobs, warnings] = await Promise.all([
      client.get<readonly ServiceView[]>(`/v1/services?namespace=${namespace}`),
      client.get<readonly JobView[]>(`/v1/jobs?namespace=${namespace}`),
      warningsFor(client, format),
    ]);
    await print({ services, jobs }, warnings, format);
    return exitCode.ok;
  }
  return watch(client, namespace, format);
}

/** Prints again whenever something has changed. */
async function watch(client: Client, namespace: string, format: Format): Promise<number> {
  const newest: { services?: readonly ServiceView[]; jobs: readonly JobView[] } = {
    jobs: await client.get<readonly JobView[]>(`/v1/jobs?namespace=${namespace}`),
  };
  let last = "";
  const show = async (): Promise<void> => {
    const { services, jobs } = newest;
    const text = JSON.stringify([services, jobs]);
    if (services === undefined || text === last) return;
    last = text;
    const warnings = await warningsFor(client, format);
    // A terminal shows the newest state in place; a file gets one after the other.
    if (process.stdout.isTTY && isTable(format)) out("\x1b[2J\x1b[H");
    await print({ services, jobs }, warnings, format);
  };
  const follow = async (kind: keyof typeof newest): Promise<void> => {
    for await (const views of client.stream("GET", `/v1/${kind}?namespace=${namespace}&watch=true`)) {
      Object.assign(newest, { [kind]: views });
      await show();
    }
  };
  await Promise.all([follow("services"), follow("jobs")]);
  return exitCode.ok;
}

interface Running {
  readonly services: readonly ServiceView[];
  readonly jobs: readonly JobView[];
}

function isTable(format: Format): boolean {
  return format === "table" || format === "wide";
}

/** What is wrong with the proxies, for people. That it is not known is no reason to show no services. */
async function warningsFor(client: Client, format: Format): Promise<readonly string[]> {
  if (!isTable(format)) return [];
  try {
    return proxyWarnings(await client.get<SystemView>("/v1/system"), Date.now());
  } catch {
    return [];
  }
}

async function print({ services, jobs }: Running, warnings: readonly string[], format: Format): Promise<void> {
  const now = Date.now();
  await printLists(serviceListing(services, now), jobListing(jobs, now), format);
  for (const warning of warnings) say(styleText("yellow", warning, { stream: process.stderr }));
}
