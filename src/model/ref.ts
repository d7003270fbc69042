/** What users type on a command line: `[NS:][KIND/]NAME[@VERSION]`, `web@v2=10%`, `80:9000/http`. */
import { closest, didYouMean } from "../lib/did-you-mean.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { type AppName, defaultNamespace, isLabel, type Namespace, type VersionName } from "./names.ts";
import { quote } from "./quote.ts";
import type { Port, Protocol } from "./types.ts";
import { parsePercent, percentHint } from "./weights.ts";

export const refKinds = ["app", "service", "job", "router", "external", "config", "secret"] as const;
export type RefKind = (typeof refKinds)[number];

/** One object as the user named it. `kind` and `version` are absent when the user said nothing. */
export interface Ref {
  readonly namespace: Namespace;
  readonly kind?: RefKind;
  readonly name: string;
  readonly version?: VersionName;
}

/** What a name must look like, for hints. */
export const labelHint = "use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends";

/**
 * Reads `[NS:][KIND/]NAME[@VERSION]`. `namespace` is the one for a ref without `NS:` (default: `default`).
 * Problems: `ref-invalid`, `ref-kind-unknown`, `name-invalid`; all of them at once.
 */
export function parseRef(text: string, namespace: Namespace = defaultNamespace): Result<Ref> {
  const parts = /^(?:([^:/@]*):)?(?:([^:/@]*)\/)?([^:/@]*)(?:@([^:/@]*))?$/.exec(text);
  if (parts === null) return failed(refProblem(text));
  const [, ns, kindText, name = "", version] = parts;
  const problems: Problem[] = [];
  for (const [what, label] of [
    ["namespace", ns],
    ["name", name],
    ["version", version],
  ] as const) {
    if (label !== undefined && !isLabel(label)) problems.push(nameProblem(what, label));
  }
  const kind = refKinds.find((known) => known === kindText);
  if (kindText !== undefined && kind === undefined) problems.push(kindProblem(kindText));
  if (version !== undefined && kind !== undefined && kind !== "app" && kind !== "service") {
    problems.push({ code: "ref-invalid", message: `${quote(text)}: only apps have versions`, hint: `write ${kind}/${name}` });
  }
  if (problems.length > 0) return { ok: false, problems };
  return ok({
    namespace: ns === undefined ? namespace : (ns as Namespace),
    ...(kind === undefined ? {} : { kind }),
    name,
    ...(version === undefined ? {} : { version: version as VersionName }),
  });
}

function refProblem(text: string): Problem {
  return {
    code: "ref-invalid",
    message: `${quote(text)} names nothing`,
    hint: "write [NAMESPACE:][KIND/]NAME[@VERSION], like web, web@v2, router/www or team-a:web",
  };
}

function kindProblem(kind: string): Problem {
  const hint = didYouMean(kind, refKinds);
  return { code: "ref-kind-unknown", message: `${quote(kind)} is not a kind of object`, ...(hint === undefined ? {} : { hint }) };
}

/** The problem of a name that is not an RFC 1123 label. `what` says what it names: `version`. */
export function nameProblem(what: string, text: string): Problem {
  const mended = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63);
  const hint = isLabel(mended) ? `${labelHint}: ${quote(mended)}` : labelHint;
  return { code: "name-invalid", message: `${quote(text)} is not a ${what}`, hint };
}

/** One share that the user asks for. */
export interface WeightArg {
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** Basis points. */
  readonly weight: number;
}

/** Reads `[NS:]APP@VERSION=PERCENT`, e.g. `web@v2=10%`. Problems: `weight-arg-invalid`, `weight-invalid` and those of `parseRef`. */
export function parseWeightArg(text: string, namespace: Namespace = defaultNamespace): Result<WeightArg> {
  const cut = text.lastIndexOf("=");
  const ref = cut < 0 ? undefined : parseRef(text.slice(0, cut), namespace);
  if (ref === undefined) {
    return failed({ code: "weight-arg-invalid", message: `${quote(text)} says no weight`, hint: "write APP@VERSION=PERCENT, like web@v2=10%" });
  }
  const weight = parsePercent(text.slice(cut + 1));
  const problems: Problem[] = ref.ok ? [] : [...ref.problems];
  if (weight === undefined) problems.push({ code: "weight-invalid", message: `${quote(text.slice(cut + 1))} is not a weight`, hint: percentHint });
  if (!ref.ok || weight === undefined) return { ok: false, problems };
  const { kind, name, version } = ref.value;
  if (version === undefined || (kind !== undefined && kind !== "app" && kind !== "service")) {
    return failed({
      code: "weight-arg-invalid",
      message: `${quote(text)} names no version of an app`,
      hint: `write ${name}@VERSION=PERCENT, like ${name}@v2=10%`,
    });
  }
  return ok({ namespace: ref.value.namespace, app: name as AppName, version, weight });
}

export const protocols: readonly Protocol[] = ["http", "http2", "grpc", "tcp"];

/** What a port must look like, for hints. */
export const portHint = "write PORT[:CONTAINERPORT][/http|http2|grpc|tcp], like 80:8080/http";

/**
 * Reads `PORT[:CONTAINERPORT][/PROTOCOL]`: callers use PORT, the process listens on CONTAINERPORT (default: the same); the protocol is http unless said.
 * Problems: `port-invalid`, `protocol-unknown`.
 */
export function parsePortArg(text: string): Result<Port> {
  const parts = /^(\d{1,5})(?::(\d{1,5}))?(?:\/([^/]*))?$/.exec(text);
  if (parts === null) return failed({ code: "port-invalid", message: `${quote(text)} is not a port`, hint: portHint });
  const [, port = "", containerPort = port, protocolText = "http"] = parts;
  const problems: Problem[] = [];
  for (const number of new Set([port, containerPort])) {
    if (!isPort(Number(number))) problems.push({ code: "port-invalid", message: `there is no port ${number}`, hint: "ports are 1 to 65535" });
  }
  const protocol = protocols.find((known) => known === protocolText);
  if (protocol === undefined) problems.push(protocolProblem(protocolText));
  if (protocol === undefined || problems.length > 0) return { ok: false, problems };
  return ok({ port: Number(port), containerPort: Number(containerPort), protocol });
}

/** Says whether a number can be a TCP port. */
export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

function protocolProblem(text: string): Problem {
  const near = closest(text, protocols);
  const hint = near === undefined ? `one of ${protocols.join(", ")}` : `did you mean "${near}"?`;
  return { code: "protocol-unknown", message: `${quote(text)} is not a protocol`, hint };
}

/** Writes a port as `parsePortArg` reads it, the shortest way: `80:8080/http`, `5432/tcp`. */
export function formatPort({ port, containerPort, protocol }: Port): string {
  return `${port === containerPort ? port : `${port}:${containerPort}`}/${protocol}`;
}
