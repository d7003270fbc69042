// Stands in for dist/control.js while src/daemon/cluster has none: healthy, and nothing else.
import { createServer } from "node:http";

createServer((_, response) => response.end("ok\n")).listen(15020);
process.on("SIGTERM", () => process.exit(0));
