import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { chooseDomain } from "./domain.ts";

function clusterWith(env: readonly object[] | undefined): Pick<KubeClient, "get"> {
  const value = { spec: { template: { spec: { containers: [{ name: "control", env }] } } } };
  return { get: async () => (env === undefined ? { ok: false, error: { kind: "notFound", message: "no weir-control" } } : { ok: true, value }) };
}

test("a domain is what is wished for, else what is installed", async () => {
  const installed = clusterWith([
    { name: "WEIR_IMAGE", value: "x" },
    { name: "WEIR_DOMAIN", value: "apps.example.com" },
  ]);
  assert.deepEqual(await chooseDomain(installed, undefined), { ok: true, value: "apps.example.com" });
  assert.deepEqual(await chooseDomain(installed, "other.example"), { ok: true, value: "other.example" });
  assert.deepEqual(await chooseDomain(clusterWith([]), undefined), { ok: true, value: undefined });
  assert.deepEqual(await chooseDomain(clusterWith(undefined), undefined), { ok: true, value: undefined });
});

test("what DNS could not have is no domain", async () => {
  for (const wish of ["", "Apps.example", "apps..example", "apps.example.", "a b", `${"a.".repeat(130)}a`]) {
    const chosen = await chooseDomain(clusterWith([]), wish);
    assert.deepEqual(chosen.ok ? [] : chosen.problems.map(({ code }) => code), ["domain-invalid"], wish);
  }
});
