/** Tells the kubelet how we are. */
import { createServer, type Server } from "node:http";

/** standing by: another leads · starting: leads, and has not read the cluster yet · serving. */
export type Phase = "standing by" | "starting" | "serving";

/** `/healthz`: this process works; `/readyz`: it does what it is there for, be it to stand by. Rejects when the port is taken. */
export function listenForHealth(port: number, phase: () => Phase): Promise<Server> {
  const server = createServer((request, response) => {
    const now = phase();
    const status = request.url === "/healthz" || (request.url === "/readyz" && now !== "starting") ? 200 : request.url === "/readyz" ? 503 : 404;
    response.writeHead(status, { "content-type": "text/plain" }).end(`${now}\n`);
  });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, () => resolve(server));
  });
}
