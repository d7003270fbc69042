import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, config, service, stack } from "../../test/support/declared.ts";
import type { VersionKey } from "../model/names.ts";
import type { Config, Service } from "../model/types.ts";
import { planStack } from "../release/plan.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { WantedVersions } from "./wanted-versions.ts";

const key = "default/web@v1" as VersionKey;
const uses = { env: { TOKEN: { kind: "secret", name: "db", key: "password" } }, mounts: [{ kind: "config", name: "site", path: "/etc/site" }] } as const;

function declare(store: MemoryStore, changes: Partial<Service> = {}, data: { readonly secret?: string; readonly configs?: readonly Config[] } = {}): void {
  const configs = data.configs ?? [config("site", { "index.html": "hi" }), config("other", { a: "1" })];
  const plan = planStack(
    store.snapshot.get(),
    stack({ services: [service("web", { ...uses, ...changes })], configs, secrets: [config("db", { password: data.secret ?? "hunter2" })] }),
    0,
  );
  assert.ok(plan.ok, JSON.stringify(plan));
  commit(store, plan.value.writes);
}
function newStore(): MemoryStore {
  return new MemoryStore({ now: () => 0 });
}
function hashAfter(changes: Partial<Service>, data: { readonly secret?: string; readonly configs?: readonly Config[] } = {}): string {
  const store = newStore();
  declare(store, changes, data);
  return new WantedVersions().of(store.snapshot.get()).get(key)?.hash ?? "";
}

test("another process is needed exactly when what it is made from differs", () => {
  const base = hashAfter({});
  const site = config("site", { "index.html": "hi" });
  const same = [
    hashAfter({ scale: 5 }),
    hashAfter({ public: false }),
    hashAfter({ drainMs: 1 }),
    hashAfter({ graceMs: 1 }),
    hashAfter({ ports: [{ port: 81, containerPort: 8080, protocol: "http" }] }),
    hashAfter({}, { configs: [site, config("other", { a: "2" })] }),
  ];
  assert.deepEqual([...new Set([base, ...same])], [base]);
  const others = [
    hashAfter({ command: ["other"] }),
    hashAfter({ dir: "/other" }),
    hashAfter({ env: {} }),
    hashAfter({ ports: [{ port: 80, containerPort: 8081, protocol: "http" }] }),
    hashAfter({ egress: true }),
    hashAfter({}, { secret: "changed" }),
    hashAfter({}, { configs: [config("site", { "index.html": "bye" }), config("other", { a: "1" })] }),
  ];
  assert.equal(new Set([base, ...others]).size, others.length + 1);
});

test("templates are kept for what is wanted and what still runs, and hold exactly what it uses", () => {
  const store = newStore();
  declare(store);
  const wanted = new WantedVersions();
  const first = wanted.of(store.snapshot.get()).get(key)?.hash ?? "";
  commit(store, wanted.templateWrites(store.snapshot.get(), []));
  const [template] = store.snapshot.get().objects.template.values();
  assert.deepEqual(
    [template?.key, template?.value.configs.map((used) => used.name), template?.value.secrets.map((used) => used.name)],
    [`${key}#${first}`, ["site"], ["db"]],
  );
  assert.deepEqual(wanted.templateWrites(store.snapshot.get(), []), []);
  declare(store, { command: ["new"] });
  const old = { id: "a", key, hash: first, index: 0, stage: "running", since: 0 } as const;
  commit(store, wanted.templateWrites(store.snapshot.get(), [old]));
  assert.equal(store.snapshot.get().objects.template.size, 2);
  commit(store, wanted.templateWrites(store.snapshot.get(), []));
  assert.equal(store.snapshot.get().objects.template.size, 1);
});
