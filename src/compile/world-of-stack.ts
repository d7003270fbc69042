/** A World of what a file says, with nothing running: for export and golden tests. */
import { type AppKey, appKey, type Namespace, objectKey, type VersionName } from "../model/names.ts";
import type { Service, Stack } from "../model/types.ts";
import { addVersion, fullWeight } from "../model/weights.ts";
import type { App, GatewaySettings, World } from "../model/world.ts";

/** The gateway as one machine has it, when nobody says otherwise. */
export const localGateway: GatewaySettings = { address: "127.0.0.1", port: 8080, socketDir: "run", domain: "localhost" };

/** `addresses` gives every host a virtual IP where the platform has none of its own. */
export function worldOfStack(stack: Stack, options: { readonly gateway?: GatewaySettings; readonly addresses?: ReadonlyMap<string, string> } = {}): World {
  const services = new Map<AppKey, Service[]>();
  for (const service of stack.services) {
    const key = appKey(service.namespace, service.app);
    services.set(key, [...(services.get(key) ?? []), service]);
  }
  return {
    revision: 1,
    apps: new Map([...services].map(([key, versions]) => [key, appOf(versions, stack)])),
    routers: new Map(stack.routers.map((router) => [objectKey(router.namespace, router.name), router])),
    serviceRoutes: new Map(),
    externals: new Map(stack.externals.map((external) => [objectKey(external.namespace, external.name), external])),
    endpoints: new Map(),
    captures: [],
    addresses: options.addresses ?? new Map(),
    gateway: options.gateway ?? localGateway,
  };
}

function appOf(versions: readonly Service[], stack: Stack): App {
  const [first] = versions as readonly [Service, ...Service[]];
  const named = { namespace: first.namespace, name: first.app };
  return { ...named, versions: new Map(versions.map((service) => [service.version, service])), weights: initialWeights(versions, named.namespace, stack) };
}

/** What the file says; the rest of 100 % goes to the first version it is silent about, or stays with the first of all. */
function initialWeights(versions: readonly Service[], namespace: Namespace, stack: Stack): ReadonlyMap<VersionName, number> {
  const said = new Map(
    stack.weights.filter((wanted) => wanted.namespace === namespace && wanted.app === versions[0]?.app).map((wanted) => [wanted.version, wanted.weight]),
  );
  if (said.size === 0)
    return versions.reduce((weights, service) => addVersion(weights, service.version), new Map<VersionName, number>() as ReadonlyMap<VersionName, number>);
  const rest = fullWeight - [...said.values()].reduce((sum, weight) => sum + weight, 0);
  const silent = versions.find((service) => !said.has(service.version));
  return new Map(versions.map((service) => [service.version, said.get(service.version) ?? (service === silent ? rest : 0)]));
}
