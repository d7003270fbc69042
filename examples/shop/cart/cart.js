// Carts in memory. Before something is put into a cart, `stock` is asked over its line protocol.
const http = require("node:http");
const net = require("node:net");

const port = Number(process.env.PORT ?? 9100);
const carts = new Map();

/** Asks stock how many of a product are left; stock greets first. */
function askStock(product) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(7000, "stock");
    let text = "";
    socket.setEncoding("utf8").setTimeout(5_000, () => socket.destroy(new Error("stock did not answer in 5 s")));
    socket.on("data", (piece) => {
      const greeted = text.includes("\n");
      text += piece;
      const lines = text.split("\n");
      if (!greeted && lines.length > 1) socket.write(`COUNT ${product}\n`);
      if (lines.length > 2) socket.end(resolve(Number(lines[1])));
    });
    socket.on("error", reject);
  });
}

const server = http.createServer(async (request, response) => {
  if (request.url === "/healthz") return response.end("ok\n");
  const [, , visitor = "visitor", product] = new URL(request.url, "http://cart").pathname.split("/");
  const cart = carts.get(visitor) ?? [];
  try {
    if (request.method === "POST" && product) {
      const left = await askStock(product);
      if (!(left > 0)) return response.writeHead(409).end(`${product} is sold out\n`);
      carts.set(visitor, [...cart, product]);
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`${JSON.stringify({ visitor, items: carts.get(visitor) ?? [] })}\n`);
  } catch (error) {
    response.writeHead(502).end(`stock: ${error.message}\n`);
  }
});
server.keepAliveTimeout = 120_000;
server.listen(port, () => console.log(`cart listens on ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
