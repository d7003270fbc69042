import { messageOf } from "../../lib/message-of.ts";
import type { DeclaredBatch } from "../../model/declared.ts";
import type { ApiContext } from "../context.ts";
import type { ReplaceEnvoyResult, SystemView } from "../contract.ts";
import { refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { systemStopRequest, watchQuery } from "../schemas.ts";

async function system(context: ApiContext): Promise<SystemView> {
  const [agent, proxies] = await Promise.all([context.machine.agent(), context.machine.proxies()]);
  const observed = context.observed.get();
  const services = context.store.snapshot.get().objects.service.size;
  return { ...context.about, agent, proxies, counts: { services, workloads: observed?.replicas.workloads.size ?? 0 } };
}

async function stop(context: ApiContext, purge: boolean): Promise<Readonly<Record<string, never>>> {
  await context.machine.stop(purge);
  context.quit();
  return {};
}

async function replaceEnvoy(context: ApiContext): Promise<ReplaceEnvoyResult> {
  try {
    return { replaced: await context.machine.replaceProxies() };
  } catch (error) {
    throw refuse("replace-failed", `the proxies were not replaced: ${messageOf(error)}`, {
      hint: "the ones of before still carry the traffic",
      status: 503,
    });
  }
}

/** What changed, without contents: they may be secret. */
async function* watch(context: ApiContext, from: number | undefined, signal: AbortSignal): AsyncGenerator<unknown, void, void> {
  for await (const batch of context.store.watch(from ?? context.store.snapshot.get().version, signal)) yield batch.kind === "expired" ? batch : redacted(batch);
}

function redacted(batch: Extract<DeclaredBatch, { kind: "changes" }>): unknown {
  return {
    ...batch,
    changes: batch.changes
      .filter((change) => change.kind !== "template")
      .map(({ version, kind, key, object }) => ({ version, kind, key, deleted: object === undefined, generation: object?.generation })),
  };
}

export const systemRoutes = [
  route("GET /v1/system", { summary: "Daemon, agent and proxies", handle: system }),
  route("POST /v1/system/stop", {
    summary: "Ends everything; what is declared stays unless purged",
    body: systemStopRequest,
    handle: (context, { body }) => stop(context, body.purge),
  }),
  route("POST /v1/system/replace-envoy", { summary: "New Envoy processes for old, without losing a request", handle: replaceEnvoy }),
  route("GET /v1/watch", {
    summary: "Every change of what is declared after resource version `from`, in order and without gaps: a stream of batches. `expired`: list again",
    query: watchQuery,
    handle: (context, { query, signal }) => watch(context, query.from, signal),
  }),
];
