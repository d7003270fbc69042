// From a fresh clone to a running mesh:  npm run quickstart
// Sets up, starts examples/shop, sends it real requests, says what came back and what to try next. Leaves it running; `./weir down --all` ends it.
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { root } from "./toolchain.mjs";

const requests = 200;
const weir = path.join(root, "weir");
const color = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const bold = (text) => (color ? `\x1b[1m${text}\x1b[22m` : text);

/** Runs one command as the reader would, its output where it belongs. */
function show(...args) {
  console.log(`\n${bold(`$ ./weir ${args.join(" ")}`)}`);
  const { status } = spawnSync(weir, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    console.error(`\nThat did not work. "./weir check" says what this machine lacks.`);
    process.exit(status ?? 1);
  }
}

function read(...args) {
  const { status, stdout, stderr } = spawnSync(weir, [...args, "-o", "json"], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`weir ${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A request to the gateway; names below `localhost` are this machine, whatever its resolver thinks. */
function send({ port, host, url = "/", method = "GET" }) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, path: url, method, headers: { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (piece) => (body += piece));
      response.on("end", () => resolve({ status: response.statusCode, body, ms: performance.now() - startedAt }));
      response.on("error", reject);
    });
    request.setTimeout(10_000, () => request.destroy(new Error(`no answer from ${host}${url} within 10 s`)));
    request.on("error", reject).end();
  });
}

function oneLine(body) {
  const text = body.replace(/\s+/g, " ").trim();
  return text.length > 110 ? `${text.slice(0, 107)}…` : text;
}

show("up", "examples/shop");
show("ps");

const web = read("ps").find((service) => service.app === "web");
const { port: digits, host } = new URL(web.url);
const port = Number(digits || 80);
console.log(`\n${bold("Real requests, through Envoy")}`);
const samples = [
  { what: "the shop's page: web asks catalog and cart", host },
  { what: "the router `shop`: products from catalog", host: "shop.example", url: "/api/products" },
  { what: "the router `shop`: cart asks stock, over plain TCP", host: "shop.example", url: "/api/cart/you/tea", method: "POST" },
];
for (const sample of samples) {
  const { status, body } = await send({ ...sample, port });
  console.log(`  ${sample.method ?? "GET"} http://${sample.host}${sample.url ?? "/"}   ${sample.what}\n    ${status} ${oneLine(body)}`);
}

const times = [];
let failed = 0;
for (let sent = 0; sent < requests; sent += 1) {
  const answer = await send({ port, host }).catch((error) => ({ status: error.message, ms: Number.NaN }));
  if (answer.status === 200) times.push(answer.ms);
  else failed += 1;
}
times.sort((a, b) => a - b);
console.log(`  ${requests} times the page: ${failed} failed, half of them within ${times[times.length >> 1]?.toFixed(1)} ms`);
if (failed > 0) process.exit(1);

console.log(`
${bold("It stays up.")} Try next:
  open ${web.url}                        in a browser
  ./weir stage web v2 --env BANNER=new      a second version, at 0 % of the traffic
  ./weir weight web@v2=10 --duration 10s    a tenth of it, over ten seconds
  ./weir promote web@v2 --wait              all of it
  ./weir rollback web --wait                and back
  ./weir logs web -f                        what it says
  ./weir down                               put it away ("./weir down --all" ends everything)
The tutorial: docs/tutorial.md`);
