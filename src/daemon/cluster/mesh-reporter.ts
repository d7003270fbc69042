/** Writes into each namespace what there is to know of the mesh there. */
import type { AuthorityState } from "../../identity/authority-state.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { type MeshReport, meshReportKind, meshReportName } from "../../model/mesh-report.ts";
import type { TrustDomain } from "../../model/spiffe.ts";
import type { KubeClient, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { meshReportObject, readMeshReport } from "../../providers/kubernetes/mesh-report-object.ts";
import { record, text } from "../../providers/kubernetes/readers.ts";
import { type MeshFacts, meshReports } from "./mesh-reports.ts";

export interface MeshReporterOptions {
  readonly client: Pick<KubeClient, "apply" | "list" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
  readonly facts: Readable<MeshFacts | undefined>;
  readonly authority: Readable<AuthorityState>;
  /** Why the authority that the user gave does not sign; empty: it does, or there is none. */
  readonly refused: Readable<string>;
  readonly version: string;
  readonly trustDomain: TrustDomain;
  /** Our own namespace, and our own pod. */
  readonly namespace: string;
  readonly leader: string;
}

/** Between two rounds: pods that come and go by the hundred are told of together. */
const restMs = 2_000;
/** Between two rounds when one failed. */
const retryMs = 10_000;

/** Works until `signal` aborts. Who cannot read the reports loses nothing but a look: whatever fails is tried again. */
export async function runMeshReporter(options: MeshReporterOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, facts, authority, refused } = options;
  const told = new Map<string, string>();
  let isTidy = false;
  const step = async (): Promise<number | undefined> => {
    const known = facts.get();
    if (known === undefined) return undefined;
    const wanted = meshReports(known, { ...options, authority: authority.get(), refused: refused.get() });
    isTidy ||= await findOld(options, told, signal);
    let isDone = isTidy;
    for (const [namespace, report] of wanted) isDone = (await tell(options, told, { namespace, report }, signal)) && isDone;
    for (const namespace of told.keys()) if (!wanted.has(namespace)) isDone = (await forget(options, told, namespace, signal)) && isDone;
    if (!isDone && !signal.aborted) log.debug("not all reports on the mesh were written; trying again");
    await clock.sleep(isDone ? restMs : retryMs, signal);
    return isDone ? undefined : clock.now();
  };
  await runLoop({ sources: [facts, authority, refused], clock, log, step }, signal);
}

/**
 * Uids of pods that the control plane before us said were in the mesh: of a node that is silent while we begin nobody else can say so. Never throws: when the
 * reports cannot be read, nobody is taken for one.
 */
export async function joinedBefore(client: Pick<KubeClient, "list">, log: Log, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const found = await client.list(meshReportKind, { signal });
  if (!found.ok) log.warn("what the control plane before us said of the mesh cannot be read", { reason: found.error.message });
  const reports = found.ok ? found.value.items.map(readMeshReport) : [];
  return new Set(reports.flatMap(({ pods }) => pods.flatMap(({ uid, state }) => (state === "joined" ? [uid] : []))));
}

function placeOf(namespace: string): ObjectPlace {
  return { kind: meshReportKind, namespace, name: meshReportName };
}

/** What a control plane before us wrote, and perhaps nobody wants any longer. */
async function findOld({ client }: MeshReporterOptions, told: Map<string, string>, signal: AbortSignal): Promise<boolean> {
  const found = await client.list(meshReportKind, { signal });
  if (!found.ok) return false;
  for (const item of found.value.items) {
    const namespace = text(record(record(item)["metadata"])["namespace"]);
    if (namespace !== undefined && !told.has(namespace)) told.set(namespace, "");
  }
  return true;
}

interface Telling {
  readonly namespace: string;
  readonly report: MeshReport;
}

async function tell({ client, log }: MeshReporterOptions, told: Map<string, string>, { namespace, report }: Telling, signal: AbortSignal): Promise<boolean> {
  const text = canonicalJson(report);
  if (told.get(namespace) === text || signal.aborted) return true;
  const written = await client.apply(placeOf(namespace), meshReportObject(namespace, report), { force: true, signal });
  if (written.ok) told.set(namespace, text);
  // A namespace on its way out takes nothing new; it will be gone from what we know, too.
  else if (!signal.aborted) log.warn("a report on the mesh cannot be written", { namespace, reason: written.error.message });
  return written.ok;
}

async function forget({ client }: MeshReporterOptions, told: Map<string, string>, namespace: string, signal: AbortSignal): Promise<boolean> {
  const gone = await client.delete(placeOf(namespace), { signal });
  const isGone = gone.ok || gone.error.kind === "notFound";
  if (isGone) told.delete(namespace);
  return isGone;
}
