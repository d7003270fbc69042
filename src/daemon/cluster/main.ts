/** The control plane of a cluster, as a process: reads settings, waits until it leads, starts, ends when it is told to or another leads. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { hostname } from "node:os";
import { fileLog } from "../../agent/file-log.ts";
import { realClock } from "../../agent/real-clock.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { Problem } from "../../lib/problem.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { clusterAccess } from "../../providers/kubernetes/kubeconfig.ts";
import { startControlPlane } from "./control-plane.ts";
import { listenForHealth, type Phase } from "./health.ts";
import { becomeLeader, leasePatienceMs } from "./leadership.ts";
import { readControlSettings } from "./settings.ts";
import { runWebhook } from "./webhook.ts";

const log = fileLog("control");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

function giveUp(problems: readonly Problem[]): never {
  for (const { code, message, hint } of problems) log.error(message, { code, ...(hint === undefined ? {} : { hint }) });
  process.exit(1);
}

/** The API server waits for us then. */
const webhookPatienceMs = 2_000;

const settings = readControlSettings(process.argv.slice(2), process.env);
if (!settings.ok) giveUp(settings.problems);
const { kubeconfig } = settings.value;
const access = await clusterAccess({ env: process.env, ...(kubeconfig === undefined ? {} : { file: kubeconfig }) });
if (!access.ok) giveUp(access.problems);
const health = { phase: (): Phase => "standing by" };
const podName = process.env["POD_NAME"] ?? hostname();
const parts = { settings: settings.value, self: podName, access: access.value, clock: realClock, log, random: Math.random };
const { namespace, healthPort } = settings.value;

function cannotStart(error: unknown): never {
  log.error("cannot start", { error: messageOf(error) });
  process.exit(1);
}

const stopping = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stopping.abort());
await listenForHealth(healthPort, () => health.phase()).catch(cannotStart);
const self = `${podName}_${randomUUID()}`;
const lease = { client: new KubeClient({ ...parts, patienceMs: leasePatienceMs }), clock: realClock, log, place: { namespace, name: "weir-control" }, self };
const asked = new KubeClient({ ...parts, patienceMs: webhookPatienceMs });
void runWebhook({ client: asked, clock: realClock, log, port: settings.value.webhookPort, namespace }, stopping.signal).catch(cannotStart);
const leadership = await becomeLeader(lease, stopping.signal);
if (leadership === undefined) process.exit(0);
health.phase = () => "starting";
const control = await startControlPlane(parts).catch(cannotStart);
health.phase = () => (control.isReady() ? "serving" : "starting");
log.info("serving", { port: control.port, trustDomain: settings.value.trustDomain });
// Two must not lead: the pod begins anew, and stands by.
leadership.lost.addEventListener("abort", () => process.exit(1));
if (leadership.lost.aborted) process.exit(1);
if (!stopping.signal.aborted) await once(stopping.signal, "abort");
await control.stop();
await leadership.release();
process.exit(0);
