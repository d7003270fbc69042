// What runs in the test's pods; knows nothing of any mesh.
//   node pod.mjs serve NAME              HTTP on 8080, a probe on 8081, an echo on 9090
//   node pod.mjs ask HOST PORT [SOURCE [LOCALPORT]]  one new connection, one request; prints {body} or {error}
//   node pod.mjs hold HOST PORT LOCALPORT  one connection that says nothing, reset when stdin ends
//   node pod.mjs talk HOST PORT          one connection to an echo, a word every 10 ms until stdin ends; prints {words, error}
import http from "node:http";
import net from "node:net";

const [mode, ...words] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));

function serve(name) {
  const answer = (request, response) => {
    const body = JSON.stringify({ pod: name, from: request.socket.remoteAddress, at: request.socket.localAddress });
    response.writeHead(200, { "x-version": name, connection: "close" }).end(body);
  };
  http.createServer(answer).listen(8080, "0.0.0.0");
  http.createServer(answer).listen(8081, "0.0.0.0");
  net.createServer((socket) => socket.on("error", () => undefined).pipe(socket)).listen(9090, "0.0.0.0", () => say({ serving: name }));
}

function ask(host, port, source, localPort) {
  const from = { ...(source ? { localAddress: source } : {}), ...(localPort ? { localPort: Number(localPort) } : {}) };
  const request = http.get({ host, port: Number(port), agent: false, timeout: 2000, ...from }, (response) => {
    let body = "";
    response.on("data", (piece) => (body += piece));
    response.on("end", () => say({ body: JSON.parse(body) }));
  });
  request.on("timeout", () => request.destroy(new Error("timeout")));
  request.on("error", (error) => say({ error: error.message }));
}

function hold(host, port, localPort) {
  const socket = net.connect({ host, port: Number(port), localPort: Number(localPort) }, () => say({ connected: true }));
  socket.on("error", (error) => say({ error: error.message }));
  process.stdin.resume().on("end", () => socket.resetAndDestroy());
}

function talk(host, port) {
  let sent = 0;
  let heard = 0;
  const socket = net.connect(Number(port), host, () => say({ connected: true }));
  const timer = setInterval(() => socket.write(String(sent++ % 10)), 10);
  const end = (error) => {
    clearInterval(timer);
    say({ sent, heard, error: error?.message });
    process.exit();
  };
  socket.on("data", (piece) => (heard += piece.length));
  socket.on("error", end);
  socket.on("close", () => end(new Error("closed")));
  // What is under way still arrives.
  process.stdin.resume().on("end", () => (clearInterval(timer), setTimeout(end, 200)));
}

({ serve, ask, hold, talk })[mode](...words);
