import path from "node:path";
import type { RunRequest, ServiceView } from "../../api/contract.ts";
import { parsePercent } from "../../model/weights.ts";
import type { Command, Invocation, Place } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { type Failure, failure } from "../failure.ts";
import { appRef, environment, wholeNumber } from "./names.ts";
import { printChanged } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const run: Command = {
  path: ["run"],
  summary: "a service without a file",
  options: [
    { flags: "-n, --name <app@version>", description: "its name; without a version: v1 (here, -n is no namespace)" },
    { flags: "--namespace <namespace>", description: "namespace (default: default; on a cluster the context's); elsewhere it is -n, too" },
    { flags: "-p, --port <port>", description: "PORT[:CONTAINERPORT][/http|http2|grpc|tcp], like 80:9000/http", many: true },
    { flags: "-e, --env <name=value>", description: "environment variable", many: true },
    { flags: "--scale <count>", description: "how many replicas (default: 1)" },
    { flags: "--image <image>", description: "what a cluster runs; a command after -- takes the place of the image's own" },
    { flags: "--dir <folder>", description: "working directory on this machine (default: this one)" },
    { flags: "--weight <percent>", description: "its share of the app's traffic, when the app has other versions (default: 0)" },
    { flags: "--public", description: "reachable through the gateway (default: with an http port)" },
    { flags: "--private", description: "not reachable through the gateway" },
    { flags: "--egress", description: "may call anything outside the mesh" },
    { flags: "--listen <address:port>", description: "where the gateway listens (default: 127.0.0.1:8080, or as before)" },
    { flags: "--no-wait", description: "return before it is ready" },
  ],
  namespaced: false,
  output: true,
  takesCommand: true,
  where: "both",
  examples: [
    "run -n hello@v1 -p 80:9000/http -e PORT=9000 -- node examples/hello.js",
    "run -n worker --scale 3 -- ./work.sh",
    "run -n hello@v1 -p 80:8080/http --image registry.example.com/hello:1.0 --context production",
  ],
  run: start,
};

async function start({ options, rest, place, namespace, format }: Invocation): Promise<number> {
  const name = options.text("name");
  if (name === undefined) throw failure("name-missing", "the service needs a name", { hint: "add -n NAME or -n NAME@VERSION", exit: exitCode.badInput });
  const image = options.text("image");
  if (place.kind === "local" ? rest.length === 0 : image === undefined) throw nothingToRun(place);
  const ref = appRef(name, namespace);
  const weight = weightOption(options.text("weight"));
  const wait = options.flag("wait");
  const request: RunRequest = {
    namespace: ref.namespace,
    app: ref.name,
    version: ref.version ?? "v1",
    command: rest,
    ...(image === undefined ? {} : { image }),
    dir: path.resolve(options.text("dir") ?? "."),
    env: environment(options.many("env")),
    ports: options.many("port"),
    scale: wholeNumber(options.text("scale") ?? "1", "--scale"),
    egress: options.flag("egress"),
    wait,
    ...(weight === undefined ? {} : { weight }),
    ...(options.flag("public") ? { public: true } : options.flag("private") ? { public: false } : {}),
  };
  const listen = options.text("listen");
  const client = await connect({ place, namespaces: [ref.namespace], ...(listen === undefined ? {} : { listen }) });
  const answer = client.post<ServiceView>("/v1/run", request);
  return printChanged([await (wait ? whileWaiting(`waits until ${ref.name} is ready`, answer) : answer)], { format, waited: wait });
}

function nothingToRun({ kind }: Place): Failure {
  return kind === "local"
    ? failure("command-missing", "there is no command to run", {
        hint: "write it after --, like: weir run -n hello -p 80:9000 -- node hello.js",
        exit: exitCode.badInput,
      })
    : failure("image-missing", "there is no image to run", { hint: "a cluster runs containers: add --image IMAGE", exit: exitCode.badInput });
}

function weightOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const weight = parsePercent(text);
  if (weight === undefined)
    throw failure("weight-invalid", `--weight ${text} is not a percentage`, { hint: "write it like 10 or 12.5%", exit: exitCode.badInput });
  return weight;
}
