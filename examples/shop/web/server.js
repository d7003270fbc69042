// The shop's front page: shows the products of `catalog` and the state of the visitor's `cart`.
const http = require("node:http");

const port = Number(process.env.PORT ?? 8080);
const banner = process.env.BANNER ?? "shop";
const version = process.env.WEIR_VERSION ?? "?";

async function page() {
  const [products, cart] = await Promise.all([
    fetch("http://catalog/products").then((answer) => answer.json()),
    fetch("http://cart/cart/visitor").then((answer) => answer.json()),
  ]);
  return { banner, version, products, cart };
}

const server = http.createServer(async (request, response) => {
  if (request.url === "/healthz") return response.end("ok\n");
  try {
    const body = JSON.stringify(await page(), null, 2);
    response.writeHead(200, { "content-type": "application/json", "x-version": version }).end(`${body}\n`);
  } catch (error) {
    console.error(`cannot make the page: ${error.message}: ${error.cause?.message ?? ""}`);
    response.writeHead(502, { "content-type": "text/plain" }).end(`${error.message}\n`);
  }
});
server.keepAliveTimeout = 120_000;
server.listen(port, () => console.log(`web ${version} listens on ${port}: ${banner}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
