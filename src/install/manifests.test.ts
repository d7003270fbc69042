import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { defaultTrustDomain } from "../model/spiffe.ts";
import { plugInObject, seedObjects } from "./authority.ts";
import { installKind, installKinds } from "./kinds.ts";
import { installObjects } from "./manifests.ts";
import { ownLabel, systemNamespace } from "./objects.ts";
import { clusterRules, contentRules } from "./rbac.ts";
import { installRights, rightText } from "./rights.ts";
import type { InstallSettings } from "./settings.ts";

const own: InstallSettings = { version: "1.2.3", image: "weir.dev/weir:1.2.3", trustDomain: defaultTrustDomain, plugIn: false };
const seeds = seedObjects({ trustDomain: "weir.local", state: "{}", roots: "-----BEGIN CERTIFICATE-----\n" });
const plugIn = [plugInObject({ "ca-cert.pem": "Y2VydA==" }), ...installObjects({ ...own, plugIn: true })];

function checkGolden(name: string, objects: readonly object[]): void {
  const file = path.join(import.meta.dirname, `${name}.golden.yaml`);
  const now = objects.map((object) => stringify(object, { lineWidth: 120, aliasDuplicateObjects: false })).join("---\n");
  if (process.env["UPDATE"] === "1") writeFileSync(file, now);
  assert.equal(now, readFileSync(file, "utf8"));
}

test("the objects of an installation are as in install.golden.yaml (UPDATE=1 writes it)", () => checkGolden("install", [...installObjects(own), ...seeds]));

test("with an authority of the user's they are as in install-plug-in.golden.yaml", () => {
  const different = plugIn.filter(({ kind }) => kind === "Secret" || kind === "Deployment");
  checkGolden("install-plug-in", different);
});

test("every object has the label by which it is found again, a known kind, and a namespace only where its kind has one", () => {
  for (const object of [...plugIn, ...seeds]) {
    assert.equal(object.metadata.labels[ownLabel.key], ownLabel.value, object.metadata.name);
    assert.equal(object.metadata.namespace, installKind(object).namespaced ? systemNamespace : undefined, object.metadata.name);
  }
});

test("objects come in the order of their kinds' needs", () => {
  const places = installObjects(own)
    .filter(({ kind }) => kind !== "ServiceAccount")
    .map(({ kind }) => installKinds.findIndex((known) => known.kind === kind));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
});

test("nobody gets a wildcard right, Secrets are read by a role of its own, and the node agent gets none at all", () => {
  for (const { verbs, resources, apiGroups } of [...clusterRules, ...contentRules]) {
    assert.ok(!verbs.includes("*") && !apiGroups.includes("*"));
    assert.ok(!resources.includes("secrets") || verbs.every((verb) => verb === "list" || verb === "watch"));
  }
  assert.ok(clusterRules.every(({ resources }) => !resources.includes("secrets")));
  const bindings = installObjects(own).filter(({ kind }) => kind.endsWith("Binding"));
  assert.doesNotMatch(JSON.stringify(bindings), /weir-node/);
});

test("rights are asked for as people say them", () => {
  const texts = installRights().map(rightText);
  assert.ok(texts.includes("patch daemonsets.apps in weir-system"), texts.join("\n"));
  assert.ok(texts.includes("create clusterroles.rbac.authorization.k8s.io"));
});
