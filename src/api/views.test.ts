import assert from "node:assert/strict";
import { test } from "node:test";
import { service } from "../../test/support/declared.ts";
import { gateway } from "../../test/support/fake-daemon.ts";
import { emptySnapshot } from "../model/declared.ts";
import type { Namespace, VersionKey } from "../model/names.ts";
import type { Workload, WorkloadPhase } from "../model/workload.ts";
import type { Replica } from "../release/replace.ts";
import type { Observed } from "./context.ts";
import { gatewayUrl, serviceViews } from "./views.ts";

const key = "default/web@v1" as VersionKey;

interface One {
  readonly phase: WorkloadPhase;
  readonly hash?: string;
  readonly stage?: Replica["stage"];
  readonly restarts?: number;
  readonly reason?: string;
  /** Envoy has it; default: when it is ready. */
  readonly inEnvoy?: boolean;
}

function observed(scale: number, replicas: readonly One[], more: Partial<Observed> = {}): Observed {
  const declared = service("web", { scale });
  const objects = {
    ...emptySnapshot().objects,
    service: new Map([
      [
        key as string,
        {
          kind: "service" as const,
          key,
          stack: "shop",
          generation: 1,
          version: 1,
          createdAt: 5,
          updatedAt: 5,
          value: { service: declared, origin: "file" as const, restarts: 0 },
        },
      ],
    ]),
  };
  const workloads = replicas.map(
    ({ phase, restarts, reason, hash }, i): Workload => ({
      id: `web-v1-${i}-a`,
      key,
      namespace: declared.namespace,
      app: declared.app,
      version: declared.version,
      hash: hash ?? "new",
      phase,
      since: 1,
      restarts: restarts ?? 0,
      ...(reason === undefined ? {} : { reason }),
    }),
  );
  const has = new Set(replicas.flatMap(({ phase, inEnvoy }, i) => ((inEnvoy ?? phase === "ready") ? [`web-v1-${i}-a`] : [])));
  return {
    declared: { version: 1, objects },
    world: {
      revision: 1,
      apps: new Map(),
      routers: new Map(),
      serviceRoutes: new Map(),
      externals: new Map(),
      endpoints: new Map(),
      captures: [],
      addresses: new Map(),
      gateway,
    },
    replicas: {
      wanted: new Map([[key, { key, app: "web", version: "v1", hash: "new", scale }]]),
      replicas: new Map(
        workloads.map((workload, i) => [
          workload.id,
          { id: workload.id, key, hash: workload.hash, index: i, stage: replicas[i]?.stage ?? "running", since: 1 },
        ]),
      ),
      workloads: new Map(workloads.map((workload) => [workload.id, workload])),
      envoy: { has, mayHave: has, mayCapture: has },
    },
    ackedRevision: 1,
    refusals: [],
    platform: { connected: true, upToDate: true },
    ...more,
  };
}
function state(scale: number, replicas: readonly One[], more: Partial<Observed> = {}): string {
  const [view] = serviceViews(observed(scale, replicas, more), "default", 9);
  return `${view?.state} ${view?.ready}/${view?.wanted}${view?.reason === undefined ? "" : ` ${view.reason}`}`;
}

test("what a version's state is called, and why", () => {
  const crash = { phase: "backoff", restarts: 2, reason: "exited with code 1" } as const;
  assert.equal(state(1, [{ phase: "ready" }]), "ready 1/1");
  assert.equal(state(1, []), "starting 0/1");
  assert.equal(state(1, [{ phase: "starting", reason: "ready check GET :80/: status 503" }]), "starting 0/1 ready check GET :80/: status 503");
  assert.equal(state(1, [{ phase: "ready", inEnvoy: false }]), "starting 1/1 waits for Envoy");
  assert.equal(state(2, [{ phase: "ready" }, { phase: "unready", reason: "ready check tcp :80: refused" }]), "degraded 1/2 ready check tcp :80: refused");
  assert.equal(state(1, [{ ...crash, restarts: 0 }]), "starting 0/1 exited with code 1");
  assert.equal(state(1, [crash]), "failing 0/1 exited with code 1, 3 times");
  assert.equal(state(1, [crash, { phase: "ready", hash: "old" }]), "failing 1/1 exited with code 1, 3 times; 1 of before still serves");
  assert.equal(state(1, [{ phase: "starting" }, { phase: "ready", hash: "old" }]), "starting 1/1");
  assert.equal(state(0, [{ phase: "draining", stage: "stopping" }]), "draining 0/0");
  assert.equal(state(0, []), "stopped 0/0");
});

test("an agent that is away and an Envoy that refuses are reasons, too", () => {
  assert.equal(
    state(1, [{ phase: "ready" }], { platform: { connected: false, upToDate: false, reason: "no answer" } }),
    "degraded 1/1 the node agent does not answer: no answer",
  );
  const refusals = [{ proxy: "node", name: "web@v1.default:80", message: "bad regex", at: 1 }];
  assert.equal(state(1, [{ phase: "ready" }], { refusals }), "ready 1/1 the node Envoy refused web@v1.default:80: bad regex");
  assert.equal(state(1, [{ phase: "ready" }], { refusals: [{ ...refusals[0], name: "cart@v1.default:80" } as never] }), "ready 1/1");
});

test("namespaces filter, workloads that ended are not shown", () => {
  const now = observed(1, [{ phase: "ready" }, { phase: "exited", stage: "stopping" }]);
  assert.equal(serviceViews(now, "other", 9).length, 0);
  const [view] = serviceViews(now, "*", 9);
  assert.deepEqual(
    view?.workloads.map((workload) => workload.phase),
    ["ready"],
  );
  assert.deepEqual([view?.stack, view?.createdAt, view?.ports], ["shop", 5, ["80:8080/http"]]);
});

test("addresses at the gateway", () => {
  const team = "team-a" as Namespace;
  assert.equal(gatewayUrl(gateway, team, "web"), "http://web.team-a.localhost:8080");
  assert.equal(gatewayUrl({ ...gateway, port: 80 }, "default" as Namespace, "web"), "http://web.localhost");
});
