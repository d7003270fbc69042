// The tests' service: tells who it is and what it was asked, over HTTP/1.1; WebSocket and server-sent events too.
// PORT (8080), WEIR_VERSION or VERSION: its version; DELAY_MS: how long every answer takes; TCP_PORT: a server-first TCP line echo.
import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";
import os from "node:os";

const version = process.env.VERSION ?? process.env.WEIR_VERSION ?? "none";
const delay = Number(process.env.DELAY_MS ?? 0);

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://echo");
  response.setHeader("x-version", version);
  if (url.pathname === "/events") return events(response, Number(url.searchParams.get("count") ?? 3));
  const status = Number(url.searchParams.get("status") ?? 200);
  const wait = Number(url.searchParams.get("ms") ?? delay);
  const answer = () => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ version, pid: process.pid, host: os.hostname(), method: request.method, url: request.url, headers: request.headers }));
  };
  request.resume();
  request.on("end", () => (wait > 0 ? setTimeout(answer, wait) : answer()));
});

function events(response, count) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sent = 0;
  const timer = setInterval(() => {
    response.write(`data: ${sent}\n\n`);
    sent += 1;
    if (sent >= count) {
      clearInterval(timer);
      response.end();
    }
  }, 50);
}

// RFC 6455, short text frames only: every frame comes back as it was.
server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  socket.on("data", (frame) => {
    const length = frame[1] & 0x7f;
    const mask = frame.subarray(2, 6);
    const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]));
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
  });
  socket.on("error", () => socket.destroy());
});
server.keepAliveTimeout = 120_000;
server.listen(Number(process.env.PORT ?? 8080), () => console.log(`echo ${version} listens`));

if (process.env.TCP_PORT) {
  net
    .createServer((socket) => {
      socket.write(`hello from ${version}\n`);
      socket.on("data", (piece) => socket.write(piece));
      socket.on("error", () => socket.destroy());
    })
    .listen(Number(process.env.TCP_PORT));
}
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
