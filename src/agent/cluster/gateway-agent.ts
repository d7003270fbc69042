/** A gateway's agent: one Envoy that takes what comes from outside, its certificates, and an end that fails no request. */
import { createServer, type Server } from "node:http";
import { Envoy } from "../../dataplane/envoy.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { controlPlaneId, trustDomainId } from "../../model/spiffe.ts";
import { drainEnvoy } from "./drain.ts";
import type { GatewaySettings } from "./gateway-settings.ts";

export interface GatewayAgent {
  /** Drains and ends. From its beginning on the kubelet is told that we are not ready. */
  stop(): Promise<void>;
}

/** Starts the Envoy of a gateway, whose certificates are served on `sdsSocket`; resolves when the kubelet can ask for it. Throws when the health port is taken. */
export async function startGatewayAgent(
  settings: GatewaySettings,
  sdsSocket: string,
  parts: { readonly clock: Clock; readonly log: Log },
): Promise<GatewayAgent> {
  const { control, drainSeconds, own, runDir } = settings;
  const { clock, log } = parts;
  const names = { ownIdentity: own, serverIdentity: controlPlaneId(control.trustDomain), trustDomain: trustDomainId(control.trustDomain) };
  const adminSocket = `${runDir}/admin.sock`;
  const envoy = new Envoy({
    nodeId: settings.proxyId,
    program: settings.envoy,
    dir: runDir,
    xds: { kind: "mtls", host: control.host, port: control.port, ...names, sdsSocket },
    adminSocket,
    concurrency: settings.concurrency,
    maxHeapBytes: settings.maxHeapBytes,
    maxDownstreamConnections: settings.maxConnections,
    drainSeconds,
    parentSeconds: drainSeconds + 12,
    clock,
    log,
  });
  let isStopping = false;
  // It is live only when it has all that it was configured to have.
  const health = await listenForHealth(settings.healthPort, () => !isStopping && envoy.state.get().phase === "running");
  envoy.start();
  return {
    async stop() {
      isStopping = true;
      await drainEnvoy({ adminSocket, drainSeconds, mayEndEarly: false, longestSeconds: 4 * drainSeconds, clock });
      await envoy.stop();
      health.close();
      log.info("stopped");
    },
  };
}

/** `/readyz`: whether requests may come. */
function listenForHealth(port: number, isReady: () => boolean): Promise<Server> {
  const server = createServer((request, response) => {
    const status = request.url === "/healthz" ? 200 : request.url !== "/readyz" ? 404 : isReady() ? 200 : 503;
    response.writeHead(status, { "content-type": "text/plain" }).end(status === 200 ? "ok\n" : "no\n");
  });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, () => resolve(server));
  });
}
