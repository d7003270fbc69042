import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { chooseDomain, installedVariables } from "./installed-variables.ts";

function clusterWith(env: readonly object[] | undefined): Pick<KubeClient, "get"> {
  const value = { spec: { template: { spec: { containers: [{ name: "control", env }] } } } };
  return { get: async () => (env === undefined ? { ok: false, error: { kind: "notFound", message: "no weir-control" } } : { ok: true, value }) };
}

test("what is installed is found again; what is taken from elsewhere is empty", async () => {
  const installed = clusterWith([
    { name: "WEIR_DOMAIN", value: "apps.example.com" },
    { name: "POD_NAME", valueFrom: {} },
  ]);
  assert.deepEqual(await installedVariables(installed), { ok: true, value: { WEIR_DOMAIN: "apps.example.com", POD_NAME: "" } });
  assert.deepEqual(await installedVariables(clusterWith(undefined)), { ok: true, value: {} });
});

test("a domain is what is wished for, else what is installed", () => {
  const installed = { WEIR_DOMAIN: "apps.example.com" };
  assert.deepEqual(chooseDomain(installed, undefined), { ok: true, value: "apps.example.com" });
  assert.deepEqual(chooseDomain(installed, "other.example"), { ok: true, value: "other.example" });
  assert.deepEqual(chooseDomain({}, undefined), { ok: true, value: undefined });
});

test("what DNS could not have is no domain", () => {
  for (const wish of ["", "Apps.example", "apps..example", "apps.example.", "a b", `${"a.".repeat(130)}a`]) {
    const chosen = chooseDomain({}, wish);
    assert.deepEqual(chosen.ok ? [] : chosen.problems.map(({ code }) => code), ["domain-invalid"], wish);
  }
});
