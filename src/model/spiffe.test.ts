import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AppName, Namespace } from "./names.ts";
import {
  controlPlaneId,
  defaultTrustDomain,
  nodeId,
  nodeProxyId,
  parseSpiffeId,
  parseTrustDomain,
  proxyIdOf,
  subjectOf,
  trustDomainId,
  trustDomainOf,
  workloadId,
} from "./spiffe.ts";

test("names of workloads, nodes, the control plane and the domain come back as they went", () => {
  const web = workloadId(defaultTrustDomain, "shop" as Namespace, "web" as AppName);
  assert.equal(web, "spiffe://weir.local/ns/shop/sa/web");
  assert.deepEqual(subjectOf(web), { kind: "workload", namespace: "shop", app: "web" });
  const node = nodeId(defaultTrustDomain, "node-1.example");
  assert.deepEqual(subjectOf(node), { kind: "node", node: "node-1.example" });
  assert.equal(controlPlaneId(defaultTrustDomain), "spiffe://weir.local/ns/weir-system/sa/weir-control");
  assert.deepEqual(subjectOf(trustDomainId(defaultTrustDomain)), { kind: "other", path: "" });
  for (const id of [web, node, controlPlaneId(defaultTrustDomain), trustDomainId(defaultTrustDomain)]) {
    assert.ok(parseSpiffeId(id).ok, id);
    assert.equal(trustDomainOf(id), defaultTrustDomain);
  }
  assert.deepEqual([proxyIdOf(web), proxyIdOf(node)], ["ns/shop/sa/web", nodeProxyId("node-1.example")]);
  assert.throws(() => nodeId(defaultTrustDomain, "a/b"));
  assert.throws(() => nodeId(defaultTrustDomain, ".."));
});

const wrong = {
  "another scheme": "https://weir.local/a",
  "an upper-case scheme": "SPIFFE://weir.local/a",
  "an upper-case domain": "spiffe://Weir.local/a",
  "no domain": "spiffe:///a",
  "a port": "spiffe://weir.local:80/a",
  "a user": "spiffe://me@weir.local/a",
  "an end with a slash": "spiffe://weir.local/a/",
  "only a slash": "spiffe://weir.local/",
  "an empty part": "spiffe://weir.local/a//b",
  "a dot": "spiffe://weir.local/a/./b",
  "two dots": "spiffe://weir.local/../b",
  "a percent": "spiffe://weir.local/%41",
  "a query": "spiffe://weir.local/a?b",
  "a fragment": "spiffe://weir.local/a#b",
  "another script": "spiffe://weir.local/ä",
  "a line break": "spiffe://weir.local/a\n",
  "too long a domain": `spiffe://${"a".repeat(256)}/a`,
  "too much": `spiffe://weir.local/${"a".repeat(2029)}`,
};

for (const [what, id] of Object.entries(wrong)) {
  test(`no SPIFFE ID: ${what}`, () => {
    const result = parseSpiffeId(id);
    assert.equal(result.ok ? "accepted" : result.problems[0]?.code, "spiffe-id-invalid");
  });
}

test("2048 bytes are the most", () => {
  const longest = `spiffe://weir.local/${"a".repeat(2028)}`;
  assert.equal(longest.length, 2048);
  assert.ok(parseSpiffeId(longest).ok);
});

test("a trust domain has lower-case letters, digits, dots, dashes and underlines", () => {
  for (const good of ["weir.local", "a", "my_domain-1.example.com", "a".repeat(255)]) assert.ok(parseTrustDomain(good).ok, good);
  for (const bad of ["", "A", "a b", "a/b", "ä", "a:80", "a".repeat(256)]) assert.ok(!parseTrustDomain(bad).ok, bad);
});

test("whatever is accepted is a URL with that host and that path", () => {
  const segment = fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.array(segment, { maxLength: 6 }), (domain, segments) => {
      const text = `spiffe://${[domain, ...segments].join("/")}`;
      assert.ok(parseSpiffeId(text).ok);
      const url = new URL(text);
      assert.equal(url.host, domain);
      assert.equal(url.pathname, segments.map((part) => `/${part}`).join(""));
    }),
  );
});
