/** Which object is meant by a name, and what is said when it is not clear, not there or not to be seen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceObject } from "../../test/support/kube-objects.ts";
import type { AdoptionWish } from "../api/context.ts";
import type { ObjectPlace } from "../providers/kubernetes/client.ts";
import { findAdoptable } from "./adopt.ts";

const workload = (name: string, spec: object = {}) => ({
  metadata: { name, namespace: "shop" },
  spec: { selector: { matchLabels: { app: name } }, template: { spec: { containers: [{ name: "main", ports: [{ containerPort: 5432 }] }] } }, ...spec },
});

/** A cluster with these objects by `RESOURCE/NAME`; `forbidden` ones may not be read. */
function cluster(objects: Readonly<Record<string, unknown>>, forbidden: readonly string[] = []) {
  return {
    get: ({ kind: { resource }, name }: ObjectPlace) => {
      if (forbidden.includes(resource)) return Promise.resolve({ ok: false, error: { kind: "forbidden", message: "you may not" } } as const);
      const value = objects[`${resource}/${name ?? ""}`];
      return Promise.resolve(value === undefined ? ({ ok: false, error: { kind: "notFound", message: "gone" } } as const) : ({ ok: true, value } as const));
    },
  };
}

const wish: AdoptionWish = { namespace: "shop", name: "db", app: "db" };

async function ask(client: ReturnType<typeof cluster>, more: Partial<AdoptionWish> = {}): Promise<unknown> {
  const found = await findAdoptable(client, { ...wish, ...more });
  return found.ok ? found.value.adopted : found.problems.map(({ code, hint }) => `${code}: ${hint ?? ""}`);
}

test("a name alone means whichever has it; of several the kind must be said", async () => {
  const both = cluster({ "statefulsets/db": workload("db"), "daemonsets/db": workload("db"), "daemonsets/agent": workload("agent") });
  assert.deepEqual(await ask(both, { name: "agent", app: "agent" }), { daemonSet: "agent", selector: { app: "agent" } });
  assert.deepEqual(await ask(both), ["adopt-ambiguous: say which: weir adopt statefulset/db, or daemonset/db"]);
  assert.deepEqual(await ask(both, { kind: "StatefulSet" }), { statefulSet: "db", selector: { app: "db" } });
  assert.deepEqual(await ask(both, { kind: "Deployment" }), ["deployment-unknown: kubectl get deployments -n shop"]);
  assert.deepEqual(await ask(both, { name: "none" }), ["deployment-unknown: kubectl get deployments,statefulsets,daemonsets -n shop"]);
});

test("what may not be read is told only when it matters", async () => {
  const objects = { "statefulsets/db": workload("db") };
  assert.deepEqual(await ask(cluster(objects, ["daemonsets"])), { statefulSet: "db", selector: { app: "db" } });
  assert.deepEqual(await ask(cluster({}, ["daemonsets"])), ["cluster-forbidden: the role view is enough to look"]);
  assert.deepEqual(await ask(cluster(objects, ["services"])), ["cluster-forbidden: the role view is enough to look"]);
});

test("a StatefulSet whose only Service is headless is adopted under another name, with that Service's ports", async () => {
  const headless = serviceObject("shop/db", [{ name: "pg", port: 5432 }], { clusterIP: "None", clusterIPs: ["None"] });
  const client = cluster({
    "statefulsets/db": workload("db", { serviceName: "db", template: { spec: { containers: [{ name: "main" }] } } }),
    "services/db": headless,
  });
  assert.match(String(await ask(client)), /adopt-headless.*weir adopt statefulset\/db --as NAME/);
  assert.deepEqual(await ask(client, { app: "database" }), { statefulSet: "db", selector: { app: "db" } });
});
