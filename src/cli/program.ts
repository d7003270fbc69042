/** Turns the list of commands into a commander program. */
import { Command as Commander, CommanderError } from "commander";
import { isLabel } from "../model/names.ts";
import { clusterOptions } from "./cluster-options.ts";
import type { Command, Option, Options, Place } from "./command.ts";
import { commands } from "./commands.ts";
import { closeConnections } from "./connect.ts";
import { placeOf } from "./context-store.ts";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";
import { parseFormat } from "./output.ts";

const exitCodeHelp = `
Exit codes: 0 ok, 1 failed, 2 bad input, 3 not found, 4 conflict, 5 timeout, 6 daemon or data plane not available.
`;

const groupSummaries: Readonly<Record<string, string>> = {
  context: "where commands act: this machine or a cluster",
  config: "configs: names, keys",
  external: "external services",
  router: "routers: hostnames and rules in front of apps",
  secret: "secrets: names and keys, never contents",
  stack: "stacks: what each `up` owns",
  system: "Weir's own processes",
};

/** Parses `argv` (without node and script), runs what it asks for, answers the exit status. */
export async function runProgram(argv: readonly string[], version: string): Promise<number> {
  let status: number = exitCode.ok;
  const program = buildProgram(version, (code) => (status = code));
  if (argv.length === 0) {
    program.outputHelp();
    return status;
  }
  const split = argv.indexOf("--");
  const [own, rest] = split === -1 ? [argv, []] : [argv.slice(0, split), argv.slice(split + 1)];
  afterDashes = rest;
  try {
    await program.parseAsync([...own], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCode.ok : exitCode.badInput;
  }
  return status;
}

/** Words after `--`; commander would mix them with the arguments before. */
let afterDashes: readonly string[] = [];

/** The commander program; also for help texts and completion. */
export function buildProgram(version: string, finish: (status: number) => void): Commander {
  const program = new Commander("weir")
    .description("A service mesh that you drive with a few commands.")
    .version(version, "-V, --version")
    .showHelpAfterError("(see: weir --help)")
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText("after", exitCodeHelp);
  const groups = new Map<string, Commander>();
  for (const command of commands) addCommand(groupOf(program, groups, command), command, finish);
  return program;
}

function groupOf(program: Commander, groups: Map<string, Commander>, command: Command): Commander {
  const [group, ...names] = command.path;
  if (names.length === 0) return program;
  const known = groups.get(group);
  if (known !== undefined) return known;
  const made = program
    .command(group)
    .description(groupSummaries[group] ?? "")
    .exitOverride()
    .showSuggestionAfterError();
  groups.set(group, made);
  return made;
}

function addCommand(parent: Commander, command: Command, finish: (status: number) => void): void {
  const sub = parent
    .command(command.path.at(-1) ?? "")
    .description(command.summary)
    .exitOverride()
    .showSuggestionAfterError();
  for (const { syntax, description } of command.args ?? []) sub.argument(syntax, description);
  for (const option of command.options ?? []) addOption(sub, option);
  const onCluster = command.where === "both" || command.where === "cluster";
  if (command.namespaced !== false) sub.option("-n, --namespace <namespace>", `namespace (default: default${onCluster ? "; on a cluster the context's" : ""})`);
  if (command.output === true) sub.option("-o, --output <format>", "table, wide, json, yaml or name");
  if (onCluster) for (const option of clusterOptions) addOption(sub, option);
  const see = `see: weir ${command.path.join(" ")} --help`;
  sub.showHelpAfterError(command.takesCommand === true ? `(the command to run comes after --; ${see})` : `(${see})`);
  if (command.takesCommand === true) sub.usage(`${sub.usage()} -- COMMAND [ARGS...]`);
  sub.addHelpText("after", `\nExamples:\n${command.examples.map((example) => `  $ weir ${example}`).join("\n")}`);
  sub.action(async () => {
    const options = optionsOf(sub.opts<Record<string, unknown>>());
    const place = placeOf(command, options);
    const args = sub.processedArgs.flat().filter((argument): argument is string => typeof argument === "string");
    const namespace = parseNamespace(options.text("namespace") ?? (await usualNamespace(place)));
    try {
      finish(await command.run({ args, rest: afterDashes, options, place, namespace, format: parseFormat(options.text("output")) }));
    } finally {
      closeConnections();
    }
  });
}

function addOption(sub: Commander, option: Option): void {
  if (option.many === true) sub.option(option.flags, option.description, (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  else sub.option(option.flags, option.description);
}

/** On a cluster the namespace of the context, as for kubectl. */
async function usualNamespace(place: Place): Promise<string | undefined> {
  if (place.kind === "local") return undefined;
  const { namespaceOf } = await import("./cluster/contexts.ts");
  return namespaceOf(place);
}

/** Checks `-n`. Throws a `Failure` for what can be no namespace. */
function parseNamespace(text = "default"): string {
  if (!isLabel(text))
    throw failure("namespace-invalid", `"${text}" can be no namespace`, {
      hint: "1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends",
      exit: exitCode.badInput,
    });
  return text;
}

function optionsOf(values: Readonly<Record<string, unknown>>): Options {
  return {
    text: (name) => (typeof values[name] === "string" ? values[name] : undefined),
    // `--no-wait` is `wait: false` for commander.
    flag: (name) => values[name] === true,
    many: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
  };
}
