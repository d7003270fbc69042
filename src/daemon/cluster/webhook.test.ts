/** The webhook by real TLS, as the API server asks it, with an API of its own in memory. */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { type TestContext, test } from "node:test";
import { someAuthority } from "../../../test/support/certificates.ts";
import { silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { freePort } from "../../../test/system/support/weir.ts";
import { bundlePem } from "../../identity/bundle.ts";
import { readCertificates } from "../../identity/certificates.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { KubeClient, ListPage, ObjectPlace } from "../../providers/kubernetes/client.ts";
import { list, record } from "../../providers/kubernetes/readers.ts";
import { keepServing } from "./serving-certificate.ts";
import { runWebhook } from "./webhook.ts";

const namespace = "weir-system";

/** Keeps what is applied; lists answer what is set. */
class Objects {
  readonly kept = new Map<string, Record<string, unknown>>([["weir-validate", {}]]);
  readonly lists = new Map<string, readonly unknown[]>();
  applied = 0;
  isDown = false;

  readonly get: KubeClient["get"] = async ({ name }: ObjectPlace) => {
    const value = this.kept.get(name);
    return value === undefined ? { ok: false, error: { kind: "notFound", message: `no ${name}` } } : { ok: true, value };
  };
  readonly apply: KubeClient["apply"] = async ({ name }: ObjectPlace, object: unknown) => {
    this.applied += 1;
    this.kept.set(name, object as Record<string, unknown>);
    return { ok: true, value: object };
  };
  readonly list: KubeClient["list"] = async ({ resource }): Promise<ApiResult<ListPage>> =>
    this.isDown
      ? { ok: false, error: { kind: "silent", message: "nothing was heard" } }
      : { ok: true, value: { items: this.lists.get(resource) ?? [], resourceVersion: "1" } };
}

async function until(clock: VirtualClock, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    assert.ok(tries < 500, "it does not come");
    await new Promise((resolve) => setTimeout(resolve, 10));
    await clock.advance(1_000);
  }
}

interface Started {
  readonly objects: Objects;
  readonly clock: VirtualClock;
  ask(resource: string, object: object, oldObject?: object): Promise<Answer>;
}

interface Answer {
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
  readonly warnings?: readonly string[];
}

async function start(t: TestContext, agoMs = 0): Promise<Started> {
  const [objects, clock, end] = [new Objects(), new VirtualClock(), new AbortController()];
  // TLS goes by the real time.
  await clock.advance(Date.now() - agoMs - clock.now());
  const authority = await someAuthority(clock);
  const port = await freePort();
  const work = [
    keepServing({ client: objects, authority, namespace, clock, log: silentLog }, end.signal),
    runWebhook({ client: objects, clock, log: silentLog, port, namespace }, end.signal),
  ];
  t.after(async () => {
    end.abort();
    await Promise.all(work);
  });
  await until(clock, () => objects.applied >= 2);
  const ca = (): string => {
    const [webhook] = list(objects.kept.get("weir-validate")?.["webhooks"]);
    return Buffer.from(String(record(record(webhook)["clientConfig"])["caBundle"]), "base64").toString();
  };
  assert.equal(ca(), bundlePem(authority.bundle.get()));
  const post = (body: unknown): Promise<Answer> =>
    new Promise((resolve, reject) => {
      // As the API server does it: by the Service's name, trusting the bundle and nothing else.
      const options = { host: "127.0.0.1", port, path: "/validate", method: "POST", ca: ca(), servername: `weir-control.${namespace}.svc`, agent: false };
      const sent = request({ ...options, headers: { "content-type": "application/json" } }, (response: IncomingMessage) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.on("end", () => resolve((JSON.parse(text) as { readonly response: Answer }).response));
      });
      sent.on("error", reject);
      sent.end(JSON.stringify(body));
    });
  return {
    objects,
    clock,
    async ask(resource, object, oldObject) {
      const meta = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1" };
      const body = {
        ...meta,
        request: { uid: "u-1", resource: { group: "weir.dev", version: "v1alpha1", resource }, object, ...(oldObject === undefined ? {} : { oldObject }) },
      };
      for (let tries = 0; ; tries += 1) {
        try {
          return await post(body);
        } catch (error) {
          // It listens as soon as it has looked for its certificate.
          if (tries > 100) throw error;
          await clock.advance(1_000);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    },
  };
}

const metadata = (name: string, more: object = {}): object => ({ name, namespace: "shop", uid: name, resourceVersion: "5", ...more });
const noChanges = { add: [], set: [], remove: [] };
const rule = (to: object, match: readonly object[] = []): object => ({
  match,
  action: { kind: "forward", destinations: [{ to: { kind: "app", ...to }, weight: 10_000 }] },
  requestHeaders: noChanges,
  responseHeaders: noChanges,
});
const router = (name: string, spec: object, more: object = {}): object => ({
  metadata: metadata(name, more),
  spec: { hosts: [], public: true, rules: [rule({ name: "web" })], ...spec },
});
const versionOf = (app: string, version: string): object => ({ metadata: metadata(`${app}-${version}`), spec: { app, version } });

test("what is wrong in itself is refused, with field, words and code; what was there before stays changeable", { timeout: 30_000 }, async (t) => {
  const { ask, objects } = await start(t);
  objects.lists.set("versions", [versionOf("web", "v1")]);
  assert.deepEqual(await ask("routers", router("www", {})), { uid: "u-1", allowed: true } as never);
  const bad = router("www", { hosts: ["not a host"], rules: [rule({ name: "web@v2" })] });
  const refused = await ask("routers", bad);
  assert.deepEqual([refused.allowed, refused.status?.code], [false, 422]);
  assert.equal(
    refused.status?.message,
    'spec.hosts[0]: "not a host" is not a host name (names like shop.example or *.shop.example) [host-invalid]; ' +
      'spec.rules[0].action.destinations[0].to.name: "web@v2" is no name (kind, namespace, version and port have fields of their own here) [destination-invalid]',
  );
  assert.equal((await ask("routers", bad, bad)).allowed, true, "a label of it may be changed");
  assert.equal((await ask("routers", router("www", { hosts: ["neither this"] }), bad)).allowed, false, "a new mistake may not be added");
  const ending = router("www", { hosts: ["not a host"] }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  assert.equal((await ask("routers", ending)).allowed, true, "whatever holds up its end may be taken away");
});

test("what depends on others is a warning only: GitOps applies in any order", { timeout: 30_000 }, async (t) => {
  const { ask, objects } = await start(t);
  objects.lists.set("versions", [versionOf("web", "v1"), versionOf("api", "v1")]);
  objects.lists.set("services", [{ metadata: metadata("legacy") }]);
  objects.lists.set("routers", [router("other", { hosts: ["shop.example"] }), router("api", {})]);
  const warnings = async (resource: string, object: object): Promise<readonly string[]> => {
    const answer = await ask(resource, object);
    assert.equal(answer.allowed, true);
    return answer.warnings ?? [];
  };
  assert.deepEqual(
    await warnings(
      "routers",
      router("www", { rules: [rule({ name: "legacy" }, [{ path: { kind: "prefix", value: "/a" }, methods: [], headers: [], query: [], cookies: [] }])] }),
    ),
    [],
  );
  const wild = router("web", {
    hosts: ["shop.example"],
    rules: [rule({ name: "wep" }), rule({ kind: "version", name: "web", version: "v9" }), rule({ kind: "external", name: "db" })],
  });
  assert.deepEqual(
    (await warnings("routers", wild)).map((text) => /\[([a-z-]+)\]$/.exec(text)?.[1]),
    ["name-clash", "destination-unknown", "version-unknown", "destination-unknown", "host-clash", "rule-unreachable", "rule-unreachable"],
  );
  const app = { metadata: metadata("web"), spec: { weights: { v1: 9_000, v2: 1_000, v3: 0 }, history: [] } };
  assert.deepEqual(await warnings("apps", app), ['web has no version "v2" (did you mean "v1"?) [version-unknown]']);
  const external = { metadata: metadata("db"), spec: { endpoints: [{ host: "localhost", port: 5432 }], ports: [{ port: 5432, protocol: "tcp" }] } };
  assert.match((await warnings("externalservices", external)).join(), /another machine on every node.*\[external-local\]/);
  const version = { metadata: metadata("api-v2"), spec: { app: "api", version: "v2" } };
  assert.match((await warnings("versions", version)).join(), /kube-object-invalid/, "one that another Weir would understand is let through");
  objects.isDown = true;
  assert.deepEqual(await warnings("routers", wild), [], "without an API server there is nothing to warn of");
});

test("the certificate is renewed, and the server takes it without an end of listening", { timeout: 30_000 }, async (t) => {
  const { ask, objects, clock } = await start(t, 13 * 3_600_000);
  const chainNow = (): string => Buffer.from(String(record(objects.kept.get("weir-webhook")?.["data"])["tls.crt"]), "base64").toString();
  const first = chainNow();
  const [leaf] = readCertificates(first);
  assert.match(leaf?.subjectAltName ?? "", /DNS:weir-control\.weir-system\.svc,/);
  await clock.advance(13 * 3_600_000);
  await until(clock, () => chainNow() !== first);
  assert.equal((await ask("routers", router("www", {}))).allowed, true);
  assert.ok(!JSON.stringify([...objects.kept.entries()].filter(([name]) => name !== "weir-webhook")).includes("PRIVATE"));
});

test("a configuration that somebody deleted is not made anew, and nothing of other groups is judged", { timeout: 30_000 }, async (t) => {
  const { ask } = await start(t);
  const objects = new Objects();
  objects.kept.delete("weir-validate");
  const [clock, end] = [new VirtualClock(), new AbortController()];
  const work = keepServing({ client: objects, authority: await someAuthority(clock), namespace, clock, log: silentLog }, end.signal);
  await until(clock, () => objects.applied >= 1);
  end.abort();
  await work;
  assert.deepEqual([...objects.kept.keys()], ["weir-webhook"]);
  assert.equal((await ask("pods", { metadata: metadata("x") })).allowed, true);
});
