/**
 * How many certificates the authority makes in a second (checks the request, signs, as the service does), one after the other and 16 at a time; how long
 * a storm of 10,000 takes, and how long it keeps the event loop. `node bench/identity.ts [HOW MANY IN THE STORM]`
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { IssueRequestSchema } from "../gen/weir/identity/v1/certificates_pb.js";
import { realClock } from "../src/agent/real-clock.ts";
import type { CertificateAuthority } from "../src/identity/certificate-authority.ts";
import { openCertificateAuthority } from "../src/identity/certificate-authority.ts";
import { createCertificateService, issueMethod } from "../src/identity/certificate-service.ts";
import { createKeyPair } from "../src/identity/keys.ts";
import { createRequest, verifyRequest } from "../src/identity/request.ts";
import { ok } from "../src/lib/problem.ts";
import { defaultTrustDomain, nodeId } from "../src/model/spiffe.ts";
import { silentLog } from "../test/support/real.ts";

const id = nodeId(defaultTrustDomain, "bench");

async function issueOne(authority: CertificateAuthority, csr: Uint8Array, node: string): Promise<void> {
  const spki = await verifyRequest(csr);
  if (!spki.ok) throw new Error(spki.problems[0]?.message);
  await authority.issue(node, [{ id, spki: spki.value }]);
}

/** Makes `count` certificates, `workers` at a time; returns how many in a second. */
async function rate(authority: CertificateAuthority, csr: Uint8Array, count: number, workers: number): Promise<number> {
  let left = count;
  const startedAt = performance.now();
  const work = async (worker: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await issueOne(authority, csr, `node ${worker}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return count / ((performance.now() - startedAt) / 1000);
}

/** What the certificate service does when `nodes` nodes ask at once for `each` identities. */
async function storm(authority: CertificateAuthority, csr: Uint8Array, nodes: number, each: number): Promise<void> {
  const options = { authority, log: silentLog, identitiesOf: () => new Set([id]) };
  const service = createCertificateService({
    ...options,
    authenticate: (token) => Promise.resolve(ok({ name: token, id: nodeId(defaultTrustDomain, token) })),
  });
  const method = service.get(issueMethod);
  if (method?.kind !== "unary") throw new Error("the service has no such method");
  const request = toBinary(IssueRequestSchema, create(IssueRequestSchema, { requests: Array.from({ length: each }, () => ({ spiffeId: id, csr })) }));
  const { signal } = new AbortController();
  await Promise.all(
    Array.from({ length: nodes }, (_, node) => method.handle(request, { headers: { authorization: `Bearer node-${node}` }, peer: undefined, signal })),
  );
}

/** How much processor time this thread spends in one turn of the event loop: unlike a timer's delay, other work on the machine does not show in it. */
function watchTurns() {
  const turns: number[] = [];
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const before = process.threadCpuUsage();
      await nextTurn();
      const spent = process.threadCpuUsage(before);
      turns.push((spent.user + spent.system) / 1000);
    }
  };
  const watching = watch();
  return async (): Promise<(share: number) => number> => {
    over.abort();
    await watching;
    turns.sort((a, b) => a - b);
    return (share) => turns[Math.min(turns.length - 1, Math.floor(turns.length * share))] ?? Number.NaN;
  };
}

async function main(): Promise<void> {
  const each = Number(process.argv[2] ?? 10_000) / 100;
  const store = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() };
  const authority = await openCertificateAuthority({ clock: realClock, store, trustDomain: defaultTrustDomain });
  const csr = await createRequest(await createKeyPair());
  await rate(authority, csr, 300, 1);
  const say = (what: string, value: number, unit: string): void =>
    console.log(`${what.padEnd(52)} ${value.toFixed(unit === "ms" ? 1 : 0).padStart(7)} ${unit}`);
  say("one after the other", await rate(authority, csr, 1000, 1), "certificates/s");
  say("16 at a time", await rate(authority, csr, 1000, 16), "certificates/s");
  const startedAt = performance.now();
  const stop = watchTurns();
  await storm(authority, csr, 100, each);
  const spent = await stop();
  const seconds = (performance.now() - startedAt) / 1000;
  say(`a storm: ${each} identities each for 100 nodes`, seconds, "s");
  say("certificates/s in it", (100 * each) / seconds, "certificates/s");
  for (const share of [0.5, 0.99, 1]) say(`processor time of a turn of the event loop, p${share * 100}`, spent(share), "ms");
  const cpu = process.cpuUsage();
  await rate(authority, csr, 500, 1);
  const used = process.cpuUsage(cpu);
  say("processor time for one", (used.user + used.system) / 500, "µs");
}

await main();
