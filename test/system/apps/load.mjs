// A bounded, constant-rate HTTP load: node load.mjs '{"url":"http://web/","rate":500,"count":20000}'
// Prints one JSON line: how many answers per `x-version`, every failure counted, the first ones in words, latencies in ms.
// Request k is due at start + k/rate whatever happened to the ones before (no coordinated omission).
import http from "node:http";

const options = { rate: 500, count: 20_000, fresh: 0.1, timeoutMs: 20_000, ...JSON.parse(process.argv[2]) };
const url = new URL(options.url);
// In turn: a connection that nobody used for long may be closed by the other side at the very moment of the next request (RFC 9112, section 9.5).
const keepAlive = new http.Agent({ keepAlive: true, maxSockets: 64, scheduling: "fifo" });
const tally = { sent: 0, ok: 0, failed: 0, versions: {}, failures: [] };
const latencies = [];

function target() {
  const hostHeader = options.host ?? url.host;
  return { host: options.connect ?? url.hostname, port: url.port || 80, path: url.pathname + url.search, headers: { host: hostHeader, ...options.headers } };
}

function fail(reason, index) {
  tally.failed += 1;
  if (tally.failures.length < 10) tally.failures.push(`#${index} at ${Math.round(performance.now() - begin)} ms: ${reason}`);
}

function one(index) {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const fresh = (index % 100) / 100 < options.fresh;
    const request = http.request({ ...target(), agent: fresh ? false : keepAlive, timeout: options.timeoutMs }, (response) => {
      response.on("end", () => {
        latencies.push(performance.now() - startedAt);
        if (response.statusCode === 200) {
          tally.ok += 1;
          const version = response.headers["x-version"] ?? "none";
          tally.versions[version] = (tally.versions[version] ?? 0) + 1;
        } else fail(`status ${response.statusCode}: ${text.slice(0, 200)}`, index);
        resolve();
      });
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece));
      response.on("error", (error) => resolve(fail(`answer broke: ${error.message}`, index)));
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error) => resolve(fail(error.message, index)));
    request.end();
  });
}

const begin = performance.now();
const pending = new Set();
await new Promise((done) => {
  const timer = setInterval(() => {
    const due = Math.min(options.count, Math.floor(((performance.now() - begin) / 1000) * options.rate));
    while (tally.sent < due) {
      const work = one(tally.sent);
      tally.sent += 1;
      pending.add(work);
      void work.then(() => pending.delete(work));
    }
    if (tally.sent >= options.count) {
      clearInterval(timer);
      done();
    }
  }, 2);
});
await Promise.all(pending);
keepAlive.destroy();
latencies.sort((a, b) => a - b);
const at = (share) => Number((latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0).toFixed(2));
console.log(JSON.stringify({ ...tally, seconds: Number(((performance.now() - begin) / 1000).toFixed(2)), p50: at(0.5), p99: at(0.99), max: at(1) }));
