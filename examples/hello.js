// The smallest service: `weir run -n hello@v1 -p 80:9000/http -e PORT=9000 -- node examples/hello.js`
const http = require("node:http");

const port = Number(process.env.PORT ?? 9000);
const server = http.createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end(`hello from ${require("node:os").hostname()}, you asked for ${request.url}\n`);
});
server.listen(port, () => console.log(`hello listens on ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
