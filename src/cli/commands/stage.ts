import path from "node:path";
import type { ServiceView, StageRequest } from "../../api/contract.ts";
import { splitWords } from "../../lib/shell-words.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { appRef, environment, wholeNumber } from "./names.ts";
import { printChanged } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const stage: Command = {
  path: ["stage"],
  summary: "add a version at 0 %: it runs and has a URL of its own, but gets no app traffic",
  args: [
    { syntax: "<app>", description: "APP, or APP@VERSION to copy that version (default: the one with the most traffic)" },
    { syntax: "<version>", description: "name of the new version" },
  ],
  options: [
    { flags: "-e, --env <name=value>", description: "environment variable, over the copied ones", many: true },
    { flags: "--command <command>", description: "another command" },
    { flags: "--image <image>", description: "another image, on a cluster" },
    { flags: "--dir <folder>", description: "another working directory, on this machine" },
    { flags: "--scale <count>", description: "how many replicas (default: as the copied one)" },
    { flags: "--no-wait", description: "return before it is ready" },
  ],
  output: true,
  where: "both",
  examples: ["stage web v2 --env BANNER=new", "stage web@v1 v3 --command 'node server2.js' --dir ./web2"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const ref = appRef(args[0] ?? "", namespace);
  const [command, image, dir, scale] = ["command", "image", "dir", "scale"].map((name) => options.text(name));
  const request: StageRequest = {
    namespace: ref.namespace,
    app: ref.name,
    version: args[1] ?? "",
    env: environment(options.many("env")),
    wait: options.flag("wait"),
    ...(ref.version === undefined ? {} : { from: ref.version }),
    ...(command === undefined ? {} : { command: words(command) }),
    ...(image === undefined ? {} : { image }),
    ...(dir === undefined ? {} : { dir: path.resolve(dir) }),
    ...(scale === undefined ? {} : { scale: wholeNumber(scale, "--scale") }),
  };
  const client = await connect({ place, namespaces: [ref.namespace] });
  const answer = client.post<ServiceView>("/v1/stage", request);
  return printChanged([await (request.wait ? whileWaiting(`waits until ${ref.name}@${request.version} is ready`, answer) : answer)], {
    format,
    waited: request.wait,
  });
}

function words(line: string): readonly string[] {
  const split = splitWords(line);
  if (split.ok) return split.words;
  const hint = split.reason === "quote-open" ? "close the quote" : "commands run without a shell; write: sh -c '...'";
  throw failure("command-invalid", `--command cannot be split into words at "${split.found}"`, { hint, exit: exitCode.badInput });
}
