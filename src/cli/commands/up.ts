import type { Plan, PlanRequest, UpEvent, UpFailure, UpRequest } from "../../api/contract.ts";
import type { Namespace } from "../../model/names.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { Failure, failure } from "../failure.ts";
import { emphasis, out, printValue, say } from "../output.ts";
import { jobLine, jobRefText } from "./jobs.ts";
import { durationOption } from "./names.ts";
import { percent, progressLine, serviceName } from "./services.ts";
import { createScreen, type Screen, tellWhenInterrupted } from "./waiting.ts";

export const up: Command = {
  path: ["up"],
  summary: "make what runs what the file says",
  args: [{ syntax: "[dir]", description: "folder with a weir.yaml (default: this one)" }],
  options: [
    { flags: "-f, --file <file>", description: "another file; - is stdin" },
    { flags: "--plan", description: "only show what would change" },
    { flags: "--no-wait", description: "return before everything is ready" },
    { flags: "--timeout <time>", description: "give up, and put everything back, after this (default: 2m)" },
    { flags: "--listen <address:port>", description: "where the gateway listens (default: 127.0.0.1:8080, or as before)" },
    { flags: "--stack <name>", description: "name of what this file owns (default: the file's `stack`, else its folder's name)" },
  ],
  output: true,
  where: "both",
  examples: ["up examples/shop", "up -f shop.yaml --plan", "up --plan -o json", "up --timeout 30s"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const { readSource } = await import("./source.ts");
  const stack = options.text("stack");
  const given = options.text("namespace");
  const request: PlanRequest = {
    source: readSource(options.text("file") ?? args[0] ?? "."),
    ...(stack === undefined ? {} : { stack }),
    ...(given !== undefined ? { namespace } : place.kind === "cluster" ? { fallbackNamespace: namespace } : {}),
  };
  const listen = options.text("listen");
  const namespaces = place.kind === "local" ? [] : await namespacesIn(request);
  const client = await connect({ place, namespaces, wide: true, ...(listen === undefined ? {} : { listen }) });
  if (options.flag("plan")) {
    const plan = await client.post<Plan>("/v1/plan", request);
    if (format === "json" || format === "yaml") await printValue(plan, format);
    else out(planText(plan));
    return exitCode.ok;
  }
  const wanted: UpRequest = { ...request, wait: options.flag("wait"), timeoutMs: durationOption(options.text("timeout"), "timeout", 120_000) };
  const events = client.stream<UpEvent>("POST", "/v1/up", { body: wanted });
  return follow(events, format === "json" || format === "yaml" ? format : undefined);
}

/** The namespaces that the file is about: all that a user without rights on the whole cluster can be shown. */
async function namespacesIn({ source, namespace, fallbackNamespace }: PlanRequest): Promise<readonly string[]> {
  const { stackNamespaces } = await import("../../model/parse-stack.ts");
  const label = (text: string | undefined) => (text === undefined ? undefined : (text as Namespace));
  const [own, fallback] = [label(namespace), label(fallbackNamespace)];
  return stackNamespaces(source, { ...(own === undefined ? {} : { namespace: own }), ...(fallback === undefined ? {} : { fallbackNamespace: fallback }) });
}

/** Shows what happens. For a script (`data`) stdout gets the last event, as it is, and nothing else. */
async function follow(events: AsyncIterable<UpEvent>, data: "json" | "yaml" | undefined): Promise<number> {
  const screen = createScreen();
  const progress = createProgress(screen);
  let last: UpEvent | undefined;
  const interrupted = (): void => {
    screen.clear();
    say("no longer waiting; what is declared goes on: weir ps --watch");
  };
  await tellWhenInterrupted(interrupted, async () => {
    for await (const event of events) {
      last = event;
      if (event.kind === "plan") (data === undefined ? out : say)(planText(event.plan));
      else if (event.kind === "progress") progress(event);
    }
  }).finally(screen.clear);
  if (data !== undefined && last !== undefined) await printValue(last, data);
  switch (last?.kind) {
    case "done":
      if (data === undefined) out(doneText(last));
      return exitCode.ok;
    case "failed":
      say(failedText(last.failures, last.restored));
      return last.timedOut === true ? exitCode.timeout : exitCode.failed;
    case "applied":
      if (data === undefined) out("applied; see what becomes of it: weir ps --watch\n");
      return exitCode.ok;
    case "plan":
    case "progress":
    case undefined:
      throw failure("up-interrupted", "the daemon ended while it was at work", {
        hint: "see what there is: weir ps; then run up again",
        exit: exitCode.unavailable,
      });
    default:
      last satisfies never;
      throw new Failure([], exitCode.failed);
  }
}

/** A terminal shows every service in place; anything else gets a line whenever a service changes its state. */
function createProgress(screen: Screen): (event: Extract<UpEvent, { kind: "progress" }>) => void {
  const known = new Map<string, string>();
  return ({ services, jobs }) => {
    const waiting = services.filter((service) => service.state !== "ready");
    const going = jobs.filter(({ state }) => state !== "succeeded" && state !== "scheduled");
    screen.show([...waiting.map(progressLine), ...going.map(jobLine)]);
    if (process.stderr.isTTY) return;
    const lines = [...services.map((one) => [serviceName(one), progressLine(one)] as const), ...jobs.map((one) => [jobRefText(one), jobLine(one)] as const)];
    for (const [name, line] of lines) {
      if (known.get(name) !== line) say(line);
      known.set(name, line);
    }
  };
}

const signs = { create: "+", update: "~", delete: "-" } as const;
const signStyles = { create: "green", update: "yellow", delete: "red" } as const;

/** The plan as a person reads it. Secrets come without contents already. */
export function planText(plan: Plan): string {
  const notes = plan.notes.map((note) => `  note: ${note}`);
  if (plan.changes.length === 0 && plan.weights.length === 0) return [`stack ${plan.stack}: no changes`, ...notes, ""].join("\n");
  const lines = plan.changes.flatMap((change) => [
    emphasis(
      signStyles[change.action],
      `  ${signs[change.action]} ${change.kind} ${change.namespace === "default" ? "" : `${change.namespace}:`}${change.name}`,
    ),
    ...(change.action === "update" ? change.fields.map((field) => `      ${field.path}: ${field.before ?? "(none)"} → ${field.after ?? "(none)"}`) : []),
  ]);
  const weights = plan.weights.map((weight) => `  ~ weights of ${weight.app}: ${shares(weight.before)} → ${shares(weight.after)}`);
  return [`stack ${plan.stack}:`, ...lines, ...weights, ...notes, ""].join("\n");
}

function shares(weights: Readonly<Record<string, number>>): string {
  const parts = Object.entries(weights).map(([version, share]) => `${version} ${percent(share)}`);
  return parts.length === 0 ? "(none)" : parts.join(", ");
}

function doneText({ services, jobs, urls, tookMs }: Extract<UpEvent, { kind: "done" }>): string {
  const width = Math.max(0, ...urls.map(({ name }) => name.length));
  const lines = urls.map(({ name, url }) => `  ${name.padEnd(width)}  ${emphasis("cyan", url)}`);
  const once = jobs.filter(({ schedule }) => schedule === undefined).length;
  const scheduled = jobs.length - once;
  const parts = [
    ...(services.length > 0 || jobs.length === 0 ? [`${services.length} ${services.length === 1 ? "service is" : "services are"} ready`] : []),
    ...(once === 0 ? [] : [`${once} ${once === 1 ? "job has" : "jobs have"} succeeded`]),
    ...(scheduled === 0 ? [] : [`${scheduled} ${scheduled === 1 ? "job is" : "jobs are"} scheduled`]),
  ];
  const ready = `${parts.join(", ")} after ${(tookMs / 1_000).toFixed(1)} s`;
  return [ready, ...lines, ...(urls.length === 0 ? [] : ["what runs: weir ps; what it says: weir logs -f"]), ""].join("\n");
}

function failedText(failures: readonly UpFailure[], restored: boolean): string {
  const parts = failures.flatMap(({ namespace, name, reason, lastLog, notes = [] }) => [
    `${emphasis("red", "failed")} ${namespace === "default" ? "" : `${namespace}:`}${name}: ${reason}`,
    ...(lastLog.length === 0 ? [] : ["  its last lines:", ...lastLog.map((line) => `    ${line}`)]),
    ...(notes.length === 0 ? [] : ["  what the cluster noted:", ...notes.map((line) => `    ${line}`)]),
  ]);
  return [...parts, restored ? "what ran before runs on, and is what is declared again" : "what is declared stays as it is now"].join("\n");
}
