// Many requests, some at a time, by HTTP/1.1 (kept-alive connections) or HTTP/2 (one connection); knows nothing of any mesh.
//   node ask-many.mjs '{"url": "http://10.0.0.1:80/", "count": 1000, "workers": 8, "http2": false, "fresh": false}'
// With "https": "NAME" it asks by HTTPS for that server name ("" for none) and trusts whoever answers; with "stdin": true each line on stdin is a request, and
// it prints after each.
// Prints {"answers": {"STATUS PEER": COUNT, ...}}: PEER is what the header `peer` (or `show`) of the answer says; {"answers": {"ERROR": COUNT}} for none.
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { createInterface } from "node:readline";

const { url, count, workers = 8, http2: isHttp2 = false, fresh = false, show = "peer", https: serverName, stdin = false } = JSON.parse(process.argv[2]);
const { Agent, get } = serverName === undefined ? http : https;
const agent = fresh ? new Agent({ keepAlive: false }) : new Agent({ keepAlive: true, maxSockets: workers });
const tls = serverName === undefined ? {} : { servername: serverName, rejectUnauthorized: false };
const session = isHttp2 ? http2.connect(url) : undefined;
session?.on("error", () => undefined);

function askHttp1() {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: 10_000, ...tls }, (response) => {
      response.resume().on("end", () => resolve(`${response.statusCode} ${String(response.headers[show] ?? "")}`));
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error) => resolve(error.message));
  });
}

function askHttp2() {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": "/" });
    let answer = "no answer";
    stream.setTimeout(10_000, () => stream.close());
    stream.on("response", (headers) => (answer = `${headers[":status"]} ${String(headers[show] ?? "")}`));
    stream.on("error", (error) => (answer = error.message));
    stream.on("close", () => resolve(answer));
    stream.resume();
  });
}

const answers = {};
let left = count;
async function work() {
  while (left > 0) {
    left -= 1;
    const answer = await (isHttp2 ? askHttp2() : askHttp1());
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
}
if (stdin) {
  for await (const _ of createInterface(process.stdin)) console.log(await askHttp1());
  process.exit();
}
await Promise.all(Array.from({ length: workers }, work));
session?.close();
agent.destroy();
console.log(JSON.stringify({ answers }));
