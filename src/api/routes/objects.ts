import type { Declared } from "../../model/declared.ts";
import { type AppKey, appKey, type VersionKey } from "../../model/names.ts";
import { formatPort } from "../../model/ref.ts";
import type { RouteAction, RouteMatch, RouteRule, Router, TextMatch } from "../../model/types.ts";
import { formatPercent } from "../../model/weights.ts";
import type { ApiContext, Observed } from "../context.ts";
import type { DataView, ExternalView, InspectView, RouterView } from "../contract.ts";
import { jobView } from "../job-views.ts";
import { type Found, findRef } from "../refs.ts";
import { refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { namespaceQuery, refPath } from "../schemas.ts";
import { gatewayUrl, serviceView, serviceViews, sharesAt } from "../views.ts";
import { isInEnvoy } from "../waiting.ts";

function inNamespace<K extends "router" | "external" | "config" | "secret">(context: ApiContext, kind: K, namespace: string): readonly Declared<K>[] {
  const objects = [...(context.store.snapshot.get().objects[kind] as ReadonlyMap<string, Declared<K>>).values()];
  return objects.filter((object) => namespace === "*" || object.key.startsWith(`${namespace}/`)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function routerView(router: Router, observed: Observed | undefined): RouterView {
  const url = router.public ? gatewayUrl(observed?.world.gateway, router.namespace, router.name) : undefined;
  return { namespace: router.namespace, name: router.name, hosts: router.hosts, ...(url === undefined ? {} : { url }), rules: router.rules.map(ruleView) };
}

function ruleView(rule: RouteRule): RouterView["rules"][number] {
  const match = rule.match.length === 0 ? "everything" : rule.match.map(describeMatch).join(" or ");
  return { match, action: rule.action.kind, target: describeTarget(rule.action) };
}

function describeMatch(match: RouteMatch): string {
  const parts = [
    ...(match.path === undefined ? [] : [match.path.kind === "prefix" ? `${match.path.value}*` : describeText(match.path)]),
    ...(match.methods.length === 0 ? [] : [match.methods.join("|")]),
    ...match.headers.map(({ name, value }) => `header ${name} ${describeText(value)}`),
    ...match.query.map(({ name, value }) => `query ${name} ${describeText(value)}`),
    ...match.cookies.map(({ name, value }) => `cookie ${name} ${describeText(value)}`),
  ];
  return parts.length === 0 ? "everything" : parts.join(" and ");
}

function describeText(match: TextMatch): string {
  switch (match.kind) {
    case "exact":
      return match.value;
    case "prefix":
      return `${match.value}*`;
    case "regex":
      return `~${match.value}`;
    case "present":
      return "present";
  }
}

function describeTarget(action: RouteAction): string {
  if (action.kind === "redirect") {
    const { scheme, host, port, path, code } = action.redirect;
    return `${code} ${scheme === undefined ? "" : `${scheme}://`}${host ?? ""}${port === undefined ? "" : `:${port}`}${path ?? ""}`.trim();
  }
  const shown = action.destinations.map(
    ({ to, weight }) => `${to.name}${to.version === undefined ? "" : `@${to.version}`}${action.destinations.length === 1 ? "" : ` ${formatPercent(weight)}`}`,
  );
  return shown.join(", ");
}

function dataView({ value, updatedAt }: Declared<"config" | "secret">): DataView {
  return { namespace: value.namespace, name: value.name, keys: Object.keys(value.data).toSorted(), updatedAt };
}

function inspect(context: ApiContext, namespace: string, ref: string): InspectView {
  const found = findRef(context.store.snapshot.get(), ref, namespace);
  const observed = context.observed.get();
  if (observed === undefined) throw refuse("platform-starting", "the node agent has not answered yet", { hint: "try again in a moment", status: 503 });
  return { namespace: found.namespace, ...inspectFound(context, observed, found) };
}

function inspectFound(context: ApiContext, observed: Observed, found: Found): Omit<InspectView, "namespace"> {
  const now = context.clock.now();
  switch (found.kind) {
    case "app": {
      const key = appKey(found.namespace, found.app);
      const versions = serviceViews(observed, found.namespace, now).filter((view) => view.app === found.app);
      const { history, ...record } = context.store.snapshot.get().objects.app.get(key)?.value ?? { history: [] };
      return {
        kind: "app",
        name: found.app,
        spec: record,
        status: { weights: sharesAt(observed, key, now), inEnvoy: envoyOfApp(observed, key), versions, changes: history.length },
      };
    }
    case "version": {
      const { object } = found;
      const { service, origin, restarts } = object.value;
      const told = observed.world.endpoints.get(object.key as VersionKey) ?? [];
      const view = serviceView(observed, object, now);
      const about = { generation: object.generation, createdAt: object.createdAt, updatedAt: object.updatedAt, origin, restartsAsked: restarts };
      return {
        kind: "service",
        name: `${service.app}@${service.version}`,
        spec: service,
        status: { ...view, ...about, inEnvoy: { endpoints: told, acknowledged: isInEnvoy(observed, [`app ${appKey(service.namespace, service.app)}`]) } },
      };
    }
    case "job": {
      const { object } = found;
      const { job, restarts } = object.value;
      const { generation, createdAt, updatedAt } = object;
      return { kind: "job", name: job.name, spec: job, status: { ...jobView(observed, object), generation, createdAt, updatedAt, restartsAsked: restarts } };
    }
    case "router": {
      const { key, value } = found.object;
      const inEnvoy = { acknowledged: isInEnvoy(observed, [`router ${key}`]) };
      return { kind: "router", name: value.name, spec: value, status: { ...routerView(value, observed), inEnvoy } };
    }
    case "external": {
      const { key, value } = found.object;
      return { kind: "external", name: value.name, spec: value, status: { inEnvoy: { acknowledged: isInEnvoy(observed, [`external ${key}`]) } } };
    }
    case "config":
      return { kind: "config", name: found.object.value.name, spec: found.object.value, status: dataView(found.object) };
    case "secret": {
      const { namespace, name, keys, updatedAt } = dataView(found.object);
      return { kind: "secret", name, spec: { namespace, name, keys }, status: { updatedAt } };
    }
  }
}

function envoyOfApp(observed: Observed, key: AppKey): { readonly weights: unknown; readonly acknowledged: boolean } {
  return { weights: Object.fromEntries(observed.world.apps.get(key)?.weights ?? []), acknowledged: isInEnvoy(observed, [`app ${key}`]) };
}

export const objectRoutes = [
  route("GET /v1/inspect/{namespace}/{ref}", {
    summary: "One object: as declared, as it is, and what Envoy was told",
    parameters: refPath,
    handle: (context, { path }) => inspect(context, path.namespace, path.ref),
  }),
  route("GET /v1/routers", {
    summary: "Every router",
    query: namespaceQuery,
    handle: (context, { query }) => inNamespace(context, "router", query.namespace).map((object) => routerView(object.value, context.observed.get())),
  }),
  route("GET /v1/externals", {
    summary: "Every external service",
    query: namespaceQuery,
    handle: (context, { query }) =>
      inNamespace(context, "external", query.namespace).map(
        ({ value }): ExternalView => ({
          namespace: value.namespace,
          name: value.name,
          ports: value.ports.map(formatPort),
          targets: value.endpoints.map(({ host, port }) => `${host}:${port}`),
        }),
      ),
  }),
  route("GET /v1/configs", {
    summary: "Every config, keys only",
    query: namespaceQuery,
    handle: (context, { query }) => inNamespace(context, "config", query.namespace).map(dataView),
  }),
  route("GET /v1/secrets", {
    summary: "Every secret, keys only",
    query: namespaceQuery,
    handle: (context, { query }) => inNamespace(context, "secret", query.namespace).map(dataView),
  }),
];
