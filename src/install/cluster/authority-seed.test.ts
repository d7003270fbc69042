import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createOwnCa } from "../../identity/authority.ts";
import { readAuthorityState } from "../../identity/authority-state.ts";
import { readRoots } from "../../identity/bundle.ts";
import { defaultTrustDomain, type TrustDomain } from "../../model/spiffe.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import type { InstallObject } from "../objects.ts";
import { prepareAuthority } from "./authority-seed.ts";

const now = Date.UTC(2027, 0, 1);

/** A cluster that has these objects, by name. */
function clusterWith(objects: Readonly<Record<string, object>>): KubeClient {
  const get: KubeClient["get"] = async ({ name }) => {
    const value = objects[name];
    return value === undefined ? { ok: false, error: { kind: "notFound", message: `no ${name}` } } : { ok: true, value };
  };
  return { get } as Partial<KubeClient> as KubeClient;
}

const wish = { fallback: defaultTrustDomain, now };

function textOf(objects: readonly InstallObject[], kind: string, field: string, key: string): string {
  const object = objects.find((one) => one.kind === kind);
  return (object?.[field] as Readonly<Record<string, string>> | undefined)?.[key] ?? "";
}

test("a new installation gets an authority of its own, and the trust bundle is its root", async () => {
  const prepared = await prepareAuthority(clusterWith({}), wish);
  assert.ok(prepared.ok);
  const { seeds, plugIn, trustDomain } = prepared.value;
  assert.deepEqual([plugIn, trustDomain, prepared.value.given], [false, "weir.local", []]);
  const state = readAuthorityState(textOf(seeds, "Secret", "stringData", "state.json"));
  assert.equal(state.trustDomain, "weir.local");
  assert.equal(state.rotation.signer.origin, "own");
  assert.deepEqual(
    readRoots(textOf(seeds, "ConfigMap", "data", "roots.pem")).map(({ id }) => id),
    [state.rotation.signer.root.id],
  );
});

test("the installed trust domain counts; another one is refused", async () => {
  const installed = clusterWith({ "weir-trust": { data: { "trust-domain": "example.com" } } });
  const kept = await prepareAuthority(installed, wish);
  assert.equal(kept.ok && kept.value.trustDomain, "example.com");
  const other = await prepareAuthority(installed, { ...wish, trustDomain: "other.example" as TrustDomain });
  assert.deepEqual(other.ok ? [] : other.problems.map(({ code }) => code), ["trust-domain-differs"]);
});

test("the user's authority is checked, kept as a Secret, and found again by a later run without the option", async () => {
  const caDir = mkdtempSync(path.join(tmpdir(), "weir-ca-"));
  try {
    const empty = await prepareAuthority(clusterWith({}), { ...wish, caDir });
    assert.deepEqual(empty.ok ? [] : empty.problems.map(({ code }) => code), ["ca-file-missing"]);
    const ca = await createOwnCa(defaultTrustDomain, now);
    const files = { "ca-cert.pem": ca.certificate, "ca-key.pem": ca.key, "cert-chain.pem": ca.certificate + ca.intermediates, "root-cert.pem": ca.root.pem };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(caDir, name), text);
    const first = await prepareAuthority(clusterWith({}), { ...wish, caDir });
    assert.ok(first.ok && first.value.plugIn);
    const { given, seeds } = first.value;
    const [secret] = given;
    assert.equal(readAuthorityState(textOf(seeds, "Secret", "stringData", "state.json")).rotation.signer.origin, "plug-in");
    assert.deepEqual(Object.keys(secret?.["data"] as object).toSorted(), Object.keys(files).toSorted());
    const later = await prepareAuthority(clusterWith({ "weir-plug-in-ca": secret ?? {} }), wish);
    assert.ok(later.ok && later.value.plugIn);
    assert.deepEqual([later.value.given, later.value.seeds.at(-1)], [[], secret], "kept as it is, whoever renews it");
    const theirs = { ...secret, metadata: { name: "weir-plug-in-ca" }, type: "kubernetes.io/tls" };
    const foreign = await prepareAuthority(clusterWith({ "weir-plug-in-ca": theirs }), wish);
    assert.ok(foreign.ok && foreign.value.plugIn);
    assert.ok(![...foreign.value.given, ...foreign.value.seeds].some(({ metadata }) => metadata.name === "weir-plug-in-ca"), "somebody else's is not touched");
  } finally {
    rmSync(caDir, { recursive: true });
  }
});

test("a folder that is not there is a problem", async () => {
  const prepared = await prepareAuthority(clusterWith({}), { ...wish, caDir: "/nowhere" });
  assert.deepEqual(prepared.ok ? [] : prepared.problems.map(({ code }) => code), ["ca-folder-unreadable"]);
});

test("aliases are named with a file of roots; they stay until others are named, or none", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-roots-"));
  try {
    const file = path.join(folder, "roots.pem");
    const { root } = await createOwnCa("old.example" as TrustDomain, now);
    writeFileSync(file, root.pem);
    const first = await prepareAuthority(clusterWith({}), { ...wish, aliases: [`old.example=${file}`] });
    assert.ok(first.ok);
    const [given] = first.value.given;
    assert.deepEqual([given?.metadata.name, given?.["data"]], ["weir-trust-aliases", { "old.example": root.pem }]);
    const installed = clusterWith({ "weir-trust-aliases": given ?? {} });
    const later = await prepareAuthority(installed, wish);
    assert.deepEqual(later.ok && [later.value.given, later.value.seeds.at(-1)], [[], given]);
    const none = await prepareAuthority(installed, { ...wish, aliases: ["none"] });
    assert.deepEqual(none.ok && none.value.given.map((one) => one["data"]), [{}]);
    const codes = async (...aliases: readonly string[]): Promise<readonly string[]> => {
      const prepared = await prepareAuthority(clusterWith({}), { ...wish, aliases });
      return prepared.ok ? [] : prepared.problems.map(({ code }) => code);
    };
    assert.deepEqual(await codes("old.example"), ["trust-domain-alias-invalid"]);
    assert.deepEqual(await codes("old.example=/nowhere"), ["ca-unreadable"]);
    assert.deepEqual(await codes(`weir.local=${file}`, `No Domain=${file}`), ["trust-domain-invalid", "trust-domain-own"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
