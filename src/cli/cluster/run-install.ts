/** Carries out `weir install`. */
import { applySteps } from "../../install/cluster/apply.ts";
import { prepareAuthority } from "../../install/cluster/authority-seed.ts";
import { checkRights } from "../../install/cluster/connect.ts";
import { chooseDomain, installedVariables } from "../../install/cluster/installed-variables.ts";
import { type InstallChange, type InstallStep, planInstall } from "../../install/cluster/plan.ts";
import { type Progress, waitUntilReady } from "../../install/cluster/pods.ts";
import { rootWishVariable } from "../../install/control.ts";
import { installObjects } from "../../install/manifests.ts";
import { installRights } from "../../install/rights.ts";
import { imageOf } from "../../install/settings.ts";
import { defaultTrustDomain, parseTrustDomain } from "../../model/spiffe.ts";
import type { Invocation, Options } from "../command.ts";
import { durationOption } from "../commands/names.ts";
import { createScreen, tellWhenInterrupted } from "../commands/waiting.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { emphasis, out, printValue, say } from "../output.ts";
import { version } from "../version.ts";
import { connectMeant, type MeantCluster, orFail } from "./connect.ts";

/** Plans, applies and waits. Answers the exit status; throws a `Failure`. */
export async function runInstall({ options, format }: Invocation): Promise<number> {
  const timeoutMs = durationOption(options.text("timeout"), "timeout", 180_000);
  const cluster = await connectMeant(options);
  try {
    orFail(await checkRights(cluster.client, installRights()));
    const steps = await planSteps(cluster.client, options);
    const changes = steps.map(({ change }) => change).filter(({ action }) => action !== "keep");
    const isData = format === "json" || format === "yaml";
    if (isData) await printValue({ cluster: cluster.server, version, changes }, format);
    else out(planText(cluster, changes));
    if (options.flag("plan")) return exitCode.ok;
    const tell = ({ change }: InstallStep): void => say(`${done[change.action]} ${change.kind.toLowerCase()} ${change.name}`);
    orFail(await applySteps(cluster.client, steps, { clock: cluster.clock, done: tell }));
    if (options.flag("wait")) await wait(cluster, timeoutMs);
    else if (changes.length > 0) say("see how it starts: weir install --wait");
    return exitCode.ok;
  } finally {
    cluster.close();
  }
}

const done = { create: "created", update: "changed", delete: "deleted", keep: "kept" } as const;

async function planSteps(client: MeantCluster["client"], options: Options): Promise<readonly InstallStep[]> {
  const [given, caDir] = [options.text("trustDomain"), options.text("caDir")];
  const wanted = given === undefined ? undefined : orFail(parseTrustDomain(given));
  const wish = {
    fallback: defaultTrustDomain,
    now: Date.now(),
    ...(wanted === undefined ? {} : { trustDomain: wanted }),
    ...(caDir === undefined ? {} : { caDir }),
    aliases: options.many("trustDomainAlias"),
  };
  const { seeds, given: files, plugIn, trustDomain } = orFail(await prepareAuthority(client, wish));
  if (options.flag("newRoot") && plugIn)
    throw failure("root-not-ours", "the root of this installation is yours", { hint: "give another one: weir install --ca-dir DIR", exit: exitCode.badInput });
  const installed = orFail(await installedVariables(client));
  const domain = orFail(chooseDomain(installed, options.text("domain")));
  const rootWish = options.flag("newRoot") ? new Date().toISOString() : installed[rootWishVariable];
  const settings = {
    version,
    image: options.text("image") ?? imageOf(version),
    trustDomain,
    plugIn,
    ...(rootWish === undefined ? {} : { rootWish }),
    ...(domain === undefined ? {} : { domain }),
  };
  const [namespace, ...others] = installObjects(settings);
  const applied = [...(namespace === undefined ? [] : [namespace]), ...files, ...others];
  return orFail(await planInstall(client, applied, seeds));
}

const signs = { create: "+", update: "~", delete: "-", keep: " " } as const;
const styles = { create: "green", update: "yellow", delete: "red", keep: "dim" } as const;

/** The plan as a person reads it. */
function planText({ label }: MeantCluster, changes: readonly InstallChange[]): string {
  if (changes.length === 0) return `Weir ${version} on ${label}: no changes\n`;
  const lines = changes.flatMap(({ action, kind, name, fields }) => [
    emphasis(styles[action], `  ${signs[action]} ${kind.toLowerCase()} ${name}`),
    ...fields.map(({ path, before, after }) => `      ${path}: ${before ?? "(none)"} → ${after ?? "(none)"}`),
  ]);
  return [`Weir ${version} on ${label}:`, ...lines, ""].join("\n");
}

/** Shows how far each component is: in place on a terminal, else a line whenever something changed. */
async function wait({ client, clock }: MeantCluster, timeoutMs: number): Promise<void> {
  const screen = createScreen();
  const startedAt = performance.now();
  const known = new Set<string>();
  const seen = (progress: Progress): void => {
    const lines = progressLines(progress);
    screen.show(lines);
    if (process.stderr.isTTY) return;
    for (const line of lines.filter((one) => !known.has(one))) say(line);
    for (const line of lines) known.add(line);
  };
  const interrupted = (): void => {
    screen.clear();
    say("no longer waiting; the cluster goes on");
  };
  const result = await tellWhenInterrupted(interrupted, () => waitUntilReady(client, { clock, timeoutMs, seen })).finally(screen.clear);
  orFail(result);
  say(`ready on every node after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
}

function progressLines({ components, pods }: Progress): readonly string[] {
  const late = pods.filter(({ ready, ending }) => !ready && !ending);
  return [
    ...components.map(({ name, ready, wanted }) => `${name}: ${ready} of ${wanted} ready`),
    ...late.map(({ name, node, reason }) => `  ${name}${node === "" ? "" : ` on ${node}`}: ${reason}`),
  ];
}
