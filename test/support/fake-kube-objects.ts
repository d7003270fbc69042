/** Single objects of a `FakeKubeApi`: read, created, replaced and deleted as an API server does it, with resource versions, generations and dry runs. */
import type { FakeKubeApi, FakeObject, SeenRequest } from "./fake-kube-api.ts";

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a request wants: `POST configmaps shop/a`. */
export interface Wanted {
  readonly method: string;
  readonly resource: string;
  /** `NAMESPACE/NAME` */
  readonly key: string;
  readonly dryRun: boolean;
}

/** Serves objects; `refuse` may answer first, and is told of each write. */
export function serveObjects(api: FakeKubeApi, refuse: (wanted: Wanted) => Answer | undefined = () => undefined): void {
  api.answer = (request) => {
    const wanted = wantedBy(request);
    if (wanted === undefined) return undefined;
    return refuse(wanted) ?? serve(api, request, wanted);
  };
}

/** A refusal in the API server's form. */
export function statusAnswer(status: number, reason: string, message: string): Answer {
  return { status, body: { kind: "Status", code: status, reason, message } };
}

function wantedBy({ method, url, body }: SeenRequest): Wanted | undefined {
  const [, namespace = "", resource = "", name] = /\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  if (resource === "" || (method === "GET" && name === undefined)) return undefined;
  const own = name ?? (JSON.parse(body) as FakeObject).metadata.name;
  // As the real one: what a DELETE's body does not say, its query does not say either.
  const dryRun = method === "DELETE" && body !== "" ? "dryRun" in (JSON.parse(body) as object) : url.searchParams.has("dryRun");
  return { method, resource, key: `${namespace}/${own}`, dryRun };
}

function serve(api: FakeKubeApi, { body }: SeenRequest, { method, resource, key, dryRun }: Wanted): Answer {
  const live = api.all(resource).find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key);
  const sent = body === "" ? undefined : (JSON.parse(body) as FakeObject & { preconditions?: { uid?: string } });
  if (method === "POST") return live === undefined ? keep(api, resource, sent, undefined, dryRun) : statusAnswer(409, "AlreadyExists", `${key} exists`);
  if (live === undefined) return statusAnswer(404, "NotFound", `${resource} ${key} not found`);
  switch (method) {
    case "GET":
      return { status: 200, body: live };
    case "PUT": {
      const version = sent?.metadata["resourceVersion"];
      const isOld = version !== undefined && version !== live.metadata["resourceVersion"];
      return isOld ? statusAnswer(409, "Conflict", `${key} was modified`) : keep(api, resource, sent, live, dryRun);
    }
    default: {
      const uid = sent?.preconditions?.uid;
      if (uid !== undefined && uid !== live.metadata.uid) return statusAnswer(409, "Conflict", `${key} is another one`);
      if (!dryRun) api.remove(resource, key);
      return { status: 200, body: { kind: "Status", status: "Success" } };
    }
  }
}

function keep(api: FakeKubeApi, resource: string, sent: FakeObject | undefined, live: FakeObject | undefined, dryRun: boolean): Answer {
  if (sent === undefined) return statusAnswer(400, "BadRequest", "no object");
  const { stringData, ...rest } = sent;
  const encoded = Object.entries((stringData ?? {}) as Readonly<Record<string, string>>).map(([name, text]) => [name, Buffer.from(text).toString("base64")]);
  const data = stringData === undefined ? {} : { data: { ...(rest["data"] as object | undefined), ...Object.fromEntries(encoded) } };
  const before = Number(live?.metadata["generation"] ?? 0);
  const changed = JSON.stringify(live?.["spec"]) !== JSON.stringify(sent["spec"]);
  const generation = sent["spec"] === undefined ? {} : { generation: changed ? before + 1 : before };
  const status = live?.["status"] === undefined ? {} : { status: live["status"] };
  const creationTimestamp = live?.metadata["creationTimestamp"] ?? "2026-11-29T10:00:00Z";
  const { uid: _uid, ...metadata } = sent.metadata;
  const object: FakeObject = {
    ...rest,
    ...data,
    ...status,
    metadata: { ...metadata, ...generation, creationTimestamp, ...(live === undefined ? {} : { uid: live.metadata.uid ?? "" }) },
  };
  if (dryRun) return { status: 200, body: object };
  api.put(resource, object);
  const key = `${object.metadata.namespace}/${object.metadata.name}`;
  return { status: live === undefined ? 201 : 200, body: api.all(resource).find(({ metadata: own }) => `${own.namespace}/${own.name}` === key) };
}
