/**
 * Answers the API server about objects of weir.dev before they are kept, in every control plane, whether it leads or stands by. It remembers nothing: what
 * it must know of other objects it reads when it is asked. Where it cannot answer, the API server goes on without it.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import { clusterKinds } from "../../model/declared-kinds.ts";
import type { KubeClient, ResourceKind } from "../../providers/kubernetes/client.ts";
import { readJson } from "../../providers/kubernetes/http.ts";
import { record, text } from "../../providers/kubernetes/readers.ts";
import {
  type Admission,
  admissionAnswer,
  admissionMistakes,
  admissionWarnings,
  neighbourNamespaces,
  readAdmission,
  readNeighbours,
} from "../../providers/kubernetes/translate-admission.ts";
import { readServing, type ServingCertificate } from "./serving-certificate.ts";

export interface WebhookOptions {
  /** Of little patience: the API server waits for us, and whoever applies waits for it. */
  readonly client: Pick<KubeClient, "get" | "list">;
  readonly clock: Clock;
  readonly log: Log;
  readonly port: number;
  /** Our own namespace. */
  readonly namespace: string;
}

/** An object of Kubernetes is smaller. */
const bodyLimit = 4_000_000;
/** What others declare is only for warnings: so long is waited for it. */
const neighboursMs = 1_000;
const waitForFirstMs = 1_000;
const lookMs = 30_000;

/** Listens as soon as there is a certificate to listen with, and takes each newer one. Ends when `signal` aborts. Throws when the port is taken. */
export async function runWebhook(options: WebhookOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, port } = options;
  let server: Server | undefined;
  let held: ServingCertificate | undefined;
  while (!signal.aborted) {
    const found = await readServing(options.client, options.namespace);
    if (found.kind === "unreadable") log.debug("the webhook's certificate cannot be read; trying again", { reason: found.reason });
    if (found.kind === "there" && found.value.chain !== held?.chain) {
      held = found.value;
      const material = { cert: held.chain, key: held.key };
      if (server === undefined) {
        server = await listen(
          createServer({ ...material, minVersion: "TLSv1.2" }, (request, response) => void handle(options, request, response)),
          port,
        );
        log.info("answers the API server about declared objects", { port });
      } else server.setSecureContext(material);
    }
    await clock.sleep(held === undefined ? waitForFirstMs : lookMs, signal);
  }
  server?.close();
  server?.closeAllConnections();
}

function listen(server: Server, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => resolve(server));
  });
}

async function handle(options: WebhookOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.method !== "POST" || Number(request.headers["content-length"] ?? 0) > bodyLimit) {
      response.writeHead(request.method === "POST" ? 413 : 405).end();
      return;
    }
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      if ((bytes += piece.length) > bodyLimit) request.destroy();
    });
    const review = await readJson(request, () => undefined);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await answer(options, review)));
  } catch (error) {
    // The API server goes on without us.
    options.log.warn("a question of the API server was not answered", { error: messageOf(error) });
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

async function answer(options: WebhookOptions, review: unknown): Promise<object> {
  const admission = readAdmission(review);
  if (admission === undefined) return admissionAnswer(text(record(record(review)["request"])["uid"]) ?? "", [], []);
  const mistakes = admissionMistakes(admission);
  if (mistakes.length > 0) {
    const { namespace, name, kind } = admission;
    options.log.info("refused", { object: `${kind} ${namespace}/${name}`, mistakes: mistakes.map(({ path, problem }) => `${path}: ${problem.code}`) });
    return admissionAnswer(admission.uid, mistakes, []);
  }
  return admissionAnswer(admission.uid, [], await warningsFor(options, admission));
}

/** None when others cannot be read in time. */
async function warningsFor({ client, log }: WebhookOptions, admission: Admission): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(neighboursMs);
  const core = (resource: string): ResourceKind => ({ group: "", version: "v1", resource });
  const namespaces = neighbourNamespaces(admission);
  const all = async (kind: ResourceKind): Promise<readonly unknown[]> => {
    const pages = await Promise.all(namespaces.map((namespace) => client.list(kind, { namespace, signal })));
    return pages.flatMap((page) => {
      if (!page.ok) throw new Error(page.error.message);
      return page.value.items;
    });
  };
  // Hosts are the whole cluster's.
  const routers = async (): Promise<readonly unknown[]> => {
    const page = await client.list(clusterKinds.router, { signal });
    if (!page.ok) throw new Error(page.error.message);
    return page.value.items;
  };
  try {
    const [versions, externals, known, services] = await Promise.all([all(clusterKinds.service), all(clusterKinds.external), routers(), all(core("services"))]);
    return admissionWarnings(admission, readNeighbours({ versions, externals, routers: known, services }));
  } catch (error) {
    log.debug("no warnings: other objects cannot be read", { reason: messageOf(error) });
    return [];
  }
}
