import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { test } from "node:test";
import { type DecodedPacket, decode, encode } from "dns-packet";
import type { Log } from "../lib/log.ts";
import { answer, type DnsView, decide, startDns } from "./dns.ts";

const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const view: DnsView = {
  names: { default: { web: "100.100.0.1", "web-v2": "100.100.0.2", "shop.example": "100.100.0.3" }, team: { web: "100.100.0.4" } },
  callers: new Map([
    ["100.64.0.1", { namespace: "default", egress: false }],
    ["100.64.0.2", { namespace: "team", egress: true }],
    ["127.0.0.1", { namespace: "team", egress: true }],
  ]),
};
const ask = (source: string, name: string, type = "A") => decide(view, source, { name, type });

test("names by the caller's namespace", () => {
  assert.deepEqual(ask("100.64.0.1", "web"), { kind: "address", address: "100.100.0.1" });
  assert.deepEqual(ask("100.64.0.2", "web"), { kind: "address", address: "100.100.0.4" });
  for (const name of ["web.team", "web.team.svc", "web.team.svc.cluster.local", "WEB.Team.", "web.team.svc.cluster.local."]) {
    assert.deepEqual(ask("100.64.0.1", name), { kind: "address", address: "100.100.0.4" }, name);
  }
  assert.deepEqual(ask("100.64.0.1", "web-v2"), { kind: "address", address: "100.100.0.2" });
  assert.deepEqual(ask("100.64.0.1", "shop.example"), { kind: "address", address: "100.100.0.3" });
  assert.deepEqual(ask("100.64.0.1", "localhost"), { kind: "address", address: "127.0.0.1" });
});

test("what exists has no other records; what does not exist is unknown; strangers are refused", () => {
  assert.deepEqual(ask("100.64.0.1", "web", "AAAA"), { kind: "empty" });
  assert.deepEqual(ask("100.64.0.1", "web", "HTTPS"), { kind: "empty" });
  for (const name of ["nope", "web.nope", "web.team.svc.cluster.nope", "web.team.svc.cluster.local.more", "constructor", "web.constructor", "__proto__", ""])
    assert.deepEqual(ask("100.64.0.1", name), { kind: "unknown" }, name);
  assert.deepEqual(ask("9.9.9.9", "web"), { kind: "refused" });
});

test("outside names only with egress, and never names of ours", () => {
  assert.deepEqual(ask("100.64.0.1", "example.com"), { kind: "unknown" });
  assert.deepEqual(ask("100.64.0.2", "Example.com."), { kind: "outside", name: "example.com" });
  assert.deepEqual(ask("100.64.0.2", "example.com", "AAAA"), { kind: "empty" });
  assert.deepEqual(ask("100.64.0.2", "nope"), { kind: "unknown" });
  assert.deepEqual(ask("100.64.0.2", "nope.default.svc.cluster.local"), { kind: "unknown" });
});

const question = (name: string, id = 7) => encode({ type: "query", id, flags: 256, questions: [{ type: "A", name, class: "IN" }] });

test("answers carry id, question and code; noise gets none", async () => {
  const options = {
    view: () => view,
    log,
    resolveOutside: (name: string) =>
      name === "broken.example" ? Promise.reject(new Error("down")) : Promise.resolve(name === "none.example" ? [] : ["1.2.3.4", "1.2.3.5"]),
  };
  const get = async (source: string, name: string): Promise<DecodedPacket & { readonly rcode?: string }> =>
    decode((await answer(options, source, question(name))) ?? Buffer.alloc(0));
  const web = await get("100.64.0.1", "web");
  assert.equal(web.id, 7);
  assert.equal(web.rcode, "NOERROR");
  assert.deepEqual(
    web.answers?.map((one) => ("data" in one ? one.data : undefined)),
    ["100.100.0.1"],
  );
  assert.equal((await get("100.64.0.1", "nope")).rcode, "NXDOMAIN");
  assert.equal((await get("100.64.9.9", "web")).rcode, "REFUSED");
  assert.equal((await get("100.64.0.2", "two.example")).answers?.length, 2);
  assert.equal((await get("100.64.0.2", "none.example")).rcode, "NXDOMAIN");
  assert.equal((await get("100.64.0.2", "broken.example")).rcode, "SERVFAIL");
  for (const noise of [Buffer.alloc(0), Buffer.from("hello"), Buffer.alloc(12), encode({ type: "response", id: 1, questions: [{ type: "A", name: "web" }] })]) {
    assert.equal(await answer(options, "100.64.0.1", noise), undefined);
  }
});

test("over UDP and TCP; what is too long for a datagram says so", async (t) => {
  const many = Array.from({ length: 60 }, (_, at) => `10.0.0.${at}`);
  const dns = await startDns({
    address: "127.0.0.1",
    port: 0,
    view: () => view,
    resolveOutside: (name) => Promise.resolve(name === "long.example" ? many : []),
    log,
  });
  const udp = createSocket("udp4");
  t.after(async () => {
    udp.close();
    await dns.close();
  });
  const overUdp = async (name: string): Promise<DecodedPacket> => {
    udp.send(question(name), dns.port, "127.0.0.1");
    return decode(await new Promise<Buffer>((resolve) => udp.once("message", resolve)));
  };
  assert.equal((await overUdp("web")).answers?.length, 1);
  const long = await overUdp("long.example");
  assert.equal(long.flag_tc, true);
  assert.deepEqual(long.answers, []);
  const tcp = connect(dns.port, "127.0.0.1");
  t.after(() => tcp.destroy());
  const [one, two] = [question("long.example"), question("web", 8)].map((query) => Buffer.concat([Buffer.from([0, query.length]), query]));
  // Two questions in pieces: each comes back whole.
  tcp.write(one?.subarray(0, 5) ?? "");
  setTimeout(() => tcp.write(Buffer.concat([one?.subarray(5) ?? Buffer.alloc(0), two ?? Buffer.alloc(0)])), 20);
  const replies = new Map<number, number>();
  let buffer = Buffer.alloc(0);
  for await (const piece of tcp) {
    buffer = Buffer.concat([buffer, piece as Buffer]);
    while (buffer.length > 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
      const reply = decode(buffer.subarray(2, 2 + buffer.readUInt16BE(0)));
      replies.set(reply.id ?? 0, reply.answers?.length ?? 0);
      buffer = buffer.subarray(2 + buffer.readUInt16BE(0));
    }
    if (replies.size === 2) break;
  }
  assert.deepEqual([...replies].sort(), [
    [7, 60],
    [8, 1],
  ]);
});
