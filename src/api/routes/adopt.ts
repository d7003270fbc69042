import { adoptedName } from "../../model/adopted.ts";
import type { Write } from "../../model/declared.ts";
import { type AppName, appKey, type Namespace, type VersionName, versionKey } from "../../model/names.ts";
import { formatPort } from "../../model/ref.ts";
import type { Service } from "../../model/types.ts";
import { checkNames } from "../../release/names.ts";
import { settle } from "../../release/settle.ts";
import type { ApiContext } from "../context.ts";
import type { AdoptRequest, AdoptView } from "../contract.ts";
import { need, refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { adoptRequest } from "../schemas.ts";
import { serviceDefaults } from "../service-defaults.ts";
import { envoyTimeoutMs, untilInEnvoy } from "../waiting.ts";

/** Declares a version that has the pods of what is there. */
async function adopt(context: ApiContext, request: AdoptRequest, signal: AbortSignal): Promise<AdoptView> {
  const [namespace, app, version] = [request.namespace as Namespace, request.app as AppName, request.version as VersionName];
  const { findAdoptable } = context.platform;
  if (findAdoptable === undefined)
    throw refuse("adopt-nothing", "there is nothing to adopt on this machine", { hint: "choose a cluster: weir context use NAME" });
  const key = versionKey(namespace, app, version);
  const snapshot = context.store.snapshot.get();
  if (snapshot.objects.service.has(key))
    throw refuse("version-exists", `${app}@${version} exists already`, { hint: "adopt it as another version: --as APP@VERSION" });
  const { adopted, ports, replicas } = need(
    await findAdoptable({ namespace, ...(request.kind === undefined ? {} : { kind: request.kind }), name: request.name, app }),
  );
  const service: Service = {
    ...serviceDefaults,
    namespace,
    app,
    version,
    command: [],
    dir: "/",
    env: {},
    adopted,
    ports,
    public: false,
    scale: replicas,
    egress: false,
  };
  need(checkNames(snapshot, service));
  const now = context.clock.now();
  const put: Write = { op: "put", kind: "service", key, value: { service, origin: "command", restarts: 0 }, expected: 0 };
  const accepted = need(await context.store.commit(settle(snapshot, [put], { now, change: `adopt ${version}` })));
  const weights = accepted.objects.app.get(appKey(namespace, app))?.value.weights ?? {};
  const view = { namespace, app, version, adopted: adoptedName(adopted), ports: ports.map(formatPort), replicas, weight: weights[version] ?? 0 };
  if (!request.wait) return view;
  await untilInEnvoy(context, { version: accepted.version, app: appKey(namespace, app), timeoutMs: envoyTimeoutMs, since: now }, signal);
  return { ...view, inEnvoyMs: context.clock.now() - now };
}

export const adoptRoutes = [
  route("POST /v1/adopt", {
    summary: "Declares a version that has the pods of a Deployment, StatefulSet or DaemonSet which is there, and which nobody changes",
    body: adoptRequest,
    handle: (context, { body, signal }) => adopt(context, body, signal),
  }),
];
