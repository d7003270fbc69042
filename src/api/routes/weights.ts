import type { Result } from "../../lib/problem.ts";
import type { DeclaredApp } from "../../model/declared.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionName } from "../../model/names.ts";
import { changeWeights, describeWeights, promote, rollback } from "../../release/app-weights.ts";
import { weightsAt } from "../../release/rollout.ts";
import { unknownApp } from "../../release/stage.ts";
import type { ApiContext } from "../context.ts";
import type { HistoryEntry, WeightsView } from "../contract.ts";
import { need, Refusal } from "../refusal.ts";
import { route } from "../route.ts";
import { appPath, promoteRequest, rollbackRequest, weightRequest } from "../schemas.ts";
import { envoyTimeoutMs, untilInEnvoy } from "../waiting.ts";

interface Change {
  readonly namespace: string;
  readonly app: string;
  readonly durationMs: number;
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly change: (app: DeclaredApp, now: number) => Result<DeclaredApp>;
}

function find(context: ApiContext, namespace: string, app: string): { readonly key: AppKey; readonly record: DeclaredApp; readonly version: number } {
  const key = appKey(namespace as Namespace, app as AppName);
  const snapshot = context.store.snapshot.get();
  const object = snapshot.objects.app.get(key);
  if (object === undefined) throw new Refusal(404, [unknownApp(snapshot, namespace as Namespace, app)]);
  return { key, record: object.value, version: object.version };
}

async function apply(context: ApiContext, { namespace, app, durationMs, wait, signal, change }: Change): Promise<WeightsView> {
  const { key, record, version } = find(context, namespace, app);
  const now = context.clock.now();
  const value = need(change(record, now));
  const accepted = need(await context.store.commit([{ op: "put", kind: "app", key, value, expected: version }]));
  const acceptedAt = context.clock.now();
  const view = { namespace, app, before: Object.fromEntries(weightsAt(record, now)), target: value.weights, durationMs };
  if (!wait) return view;
  await untilInEnvoy(context, { version: accepted.version, app: key, timeoutMs: durationMs + envoyTimeoutMs, since: now }, signal);
  return { ...view, inEnvoyMs: context.clock.now() - acceptedAt };
}

function history(context: ApiContext, namespace: string, app: string): readonly HistoryEntry[] {
  return find(context, namespace, app).record.history.toReversed();
}

export const weightRoutes = [
  route("POST /v1/weight", {
    summary: "Sets the shares of versions, several at once, at once or over time; the others move in proportion",
    body: weightRequest,
    handle: (context, { body, signal }) => {
      const wanted = new Map(Object.entries(body.weights)) as Map<VersionName, number>;
      return apply(context, {
        ...body,
        signal,
        change: (app, now) => changeWeights(app, wanted, { now, durationMs: body.durationMs, change: describeWeights(wanted) }),
      });
    },
  }),
  route("POST /v1/promote", {
    summary: "Gives one version all traffic of its app",
    body: promoteRequest,
    handle: (context, { body, signal }) =>
      apply(context, { ...body, signal, change: (app, now) => promote(app, body.version as VersionName, { now, durationMs: body.durationMs }) }),
  }),
  route("POST /v1/rollback", {
    summary: "Brings back the weights before the last change, or those of a revision",
    body: rollbackRequest,
    handle: (context, { body, signal }) => apply(context, { ...body, durationMs: 0, signal, change: (app, now) => rollback(app, body.revision, now) }),
  }),
  route("GET /v1/apps/{namespace}/{app}/history", {
    summary: "The changes of an app's weights, newest first",
    parameters: appPath,
    handle: (context, { path }) => history(context, path.namespace, path.app),
  }),
];
