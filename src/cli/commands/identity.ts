import type { IdentitiesView, IdentityProof, IdentityView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { type Column, emphasis, out, printList, printValue, say } from "../output.ts";
import { namespacesOf } from "./names.ts";

export const identity: Command = {
  path: ["identity"],
  summary: "who a workload is, what proves it, until when; without a name, all of them",
  args: [{ syntax: "[ref]", description: "APP, APP@VERSION, or one workload (a pod)" }],
  options: [{ flags: "-A, --all-namespaces", description: "of every namespace" }],
  output: true,
  where: "both",
  examples: ["identity", "identity web@v2", "identity -A -o wide", "identity web -o json"],
  run,
};

async function run({ args: [ref], options, place, namespace, format }: Invocation): Promise<number> {
  const wide = options.flag("allNamespaces") && ref === undefined;
  const client = await connectToLook({ place, namespaces: namespacesOf(ref === undefined ? [] : [ref], namespace), wide });
  const query = new URLSearchParams({ namespace: wide ? "*" : namespace, ...(ref === undefined ? {} : { ref }) });
  const view = await client.get<IdentitiesView>(`/v1/identities?${query.toString()}`);
  const isTable = format === "table" || format === "wide";
  if (ref !== undefined && isTable) out(view.workloads.map((one) => cardOf(one, view, Date.now())).join("\n"));
  else if (format === "json" || format === "yaml") await printValue(view, format);
  else await print(view, wide, format);
  if (isTable) say(emphasis("dim", view.meaning));
  return exitCode.ok;
}

async function print(view: IdentitiesView, wide: boolean, format: Invocation["format"]): Promise<void> {
  const items = view.workloads;
  await printList({ items, columns: columns(view, wide), name: ({ workload }) => workload, note: noteOf, empty: "no workload here is in the mesh" }, format);
  if (format !== "table" && format !== "wide") return;
  for (const { namespace, mode } of view.namespaces)
    if (mode === "permissive") say(`namespace ${namespace} is permissive: its pods take plain text from callers outside the mesh, too`);
}

function noteOf({ reason }: IdentityView): string | undefined {
  return reason;
}

function columns(view: IdentitiesView, wide: boolean): readonly Column<IdentityView>[] {
  const now = Date.now();
  const isCluster = view.trustDomain !== undefined;
  return [
    ...(wide ? [{ title: "NAMESPACE", value: ({ namespace }: IdentityView) => namespace }] : []),
    { title: "WORKLOAD", value: ({ workload }) => workload },
    { title: "APP", value: ({ app, version }) => (version === undefined ? app : `${app}@${version}`) },
    { title: "IDENTITY", value: (one) => one.identity },
    ...(isCluster ? clusterColumns(now) : [{ title: "PROOF", value: ({ proof }: IdentityView) => proofText(proof) }]),
  ];
}

function clusterColumns(now: number): readonly Column<IdentityView>[] {
  return [
    { title: "STATE", value: ({ state }) => state },
    { title: "MODE", value: ({ mode }) => mode ?? "-" },
    { title: "EXPIRES", value: ({ proof }) => (proof.kind === "certificate" ? leftText(proof.notAfter, now) : "-") },
    { title: "NODE", value: ({ node }) => node ?? "-", wide: true },
    { title: "RENEWED", value: ({ proof }) => (proof.kind === "certificate" ? leftText(proof.renewAt, now) : "-"), wide: true },
    { title: "SERIAL", value: ({ proof }) => (proof.kind === "certificate" ? proof.serial : "-"), wide: true },
  ];
}

function proofText(proof: IdentityProof): string {
  switch (proof.kind) {
    case "none":
      return "none yet";
    case "network-namespace":
      return `its network namespace, ${proof.networkNamespace}`;
    case "certificate":
      return `certificate ${proof.serial}`;
    default:
      return proof satisfies never;
  }
}

/** `in 23h 59m`, `12 minutes ago`. */
export function leftText(at: number, now: number): string {
  const minutes = Math.floor(Math.abs(at - now) / 60_000);
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24];
  const text = days >= 3 ? `${days} days` : minutes < 60 ? `${minutes} min` : `${days * 24 + hours} h ${minutes % 60} min`;
  return at >= now ? `in ${text}` : `${text} ago`;
}

/** All about one workload. */
function cardOf(one: IdentityView, { trustDomain }: IdentitiesView, now: number): string {
  const { namespace, workload, app, version, node, serviceAccount, mode, state, reason, proof } = one;
  const lines: readonly (readonly [string, string] | undefined)[] = [
    ["workload", `${workload} in ${namespace}${node === undefined ? "" : `, on ${node}`}`],
    ["of", version === undefined ? app : `${app}@${version}`],
    ["identity", one.identity],
    trustDomain === undefined ? undefined : ["trust domain", trustDomain],
    serviceAccount === undefined ? undefined : ["service account", serviceAccount],
    mode === undefined
      ? undefined
      : ["mode", mode === "strict" ? "strict: takes callers of the mesh only" : "permissive: takes plain text from outside the mesh, too"],
    ["state", reason === undefined ? state : `${state}: ${reason}`],
    ...proofLines(proof, now),
  ];
  const width = 18;
  return lines.flatMap((line) => (line === undefined ? [] : [`${emphasis("bold", `${line[0]}:`.padEnd(width))}${line[1]}\n`])).join("");
}

function proofLines(proof: IdentityProof, now: number): readonly (readonly [string, string])[] {
  if (proof.kind !== "certificate") return [["proof", proofText(proof)]];
  const time = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");
  const { serial, notBefore, notAfter, renewAt, chain } = proof;
  return [
    ["certificate", serial],
    ["valid", `${time(notBefore)} to ${time(notAfter)}, ends ${leftText(notAfter, now)}`],
    ["renewed", `about ${time(renewAt)}, ${leftText(renewAt, now)}`],
    ...chain.map(({ subject, fingerprint, notAfter: end }, at): readonly [string, string] => [
      at === chain.length - 1 ? "root" : "intermediate",
      `${subject}, ends ${time(end)}, SHA-256 ${fingerprint}`,
    ]),
  ];
}
