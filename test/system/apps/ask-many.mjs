// Many requests, some at a time, by HTTP/1.1 (kept-alive connections) or HTTP/2 (one connection); knows nothing of any mesh.
//   node ask-many.mjs '{"url": "http://10.0.0.1:80/", "count": 1000, "workers": 8, "http2": false, "fresh": false}'
// Prints {"answers": {"STATUS PEER": COUNT, ...}}: PEER is what the header `peer` (or `show`) of the answer says; {"answers": {"ERROR": COUNT}} for none.
import http from "node:http";
import http2 from "node:http2";

const { url, count, workers = 8, http2: isHttp2 = false, fresh = false, show = "peer" } = JSON.parse(process.argv[2]);
const agent = fresh ? new http.Agent({ keepAlive: false }) : new http.Agent({ keepAlive: true, maxSockets: workers });
const session = isHttp2 ? http2.connect(url) : undefined;
session?.on("error", () => undefined);

function askHttp1() {
  return new Promise((resolve) => {
    const request = http.get(url, { agent, timeout: 10_000 }, (response) => {
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
await Promise.all(Array.from({ length: workers }, work));
session?.close();
agent.destroy();
console.log(JSON.stringify({ answers }));
