/** Services and their EndpointSlices → apps with one version each, endpoints and virtual addresses. */
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionKey, type VersionName, versionKey } from "../../model/names.ts";
import type { Service } from "../../model/types.ts";
import type { App, Endpoint } from "../../model/world.ts";
import type { KubeEndpointSlice, KubeService, Objects } from "./objects.ts";
import { isIpv4, serviceEndpoints } from "./translate-endpoints.ts";
import { servicePorts, serviceProblems } from "./translate-ports.ts";

/** The only version of an app that a Service makes: all its pods. */
export const allPods: VersionName = "all" as VersionName;

export interface TranslatedServices {
  readonly apps: ReadonlyMap<AppKey, App>;
  readonly endpoints: ReadonlyMap<VersionKey, readonly Endpoint[]>;
  /** `NAMESPACE/NAME` → ClusterIP. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Apps without a virtual address: callers ask DNS for the pods' own addresses. */
  readonly headless: ReadonlySet<AppKey>;
  readonly problems: readonly Problem[];
}

interface Translated {
  readonly key: AppKey;
  readonly app: App;
  readonly endpoints: readonly Endpoint[];
  readonly problems: readonly Problem[];
}

/** All Services that lead somewhere and have a TCP port. In the order of their names; each is the identical value as long as it and its slices are. */
export const translateServices: (services: Objects<KubeService>, slices: Objects<KubeEndpointSlice>) => TranslatedServices = memoizeLast((services, slices) => {
  const byService = slicesByService(slices);
  const found = [...services]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, service]) => {
      const own = byService.get(key) ?? [];
      return isCallable(service, own) ? [{ service, ...translateService(service, ...own) }] : [];
    });
  return {
    apps: new Map(found.map(({ key, app }) => [key, app])),
    endpoints: new Map(found.map(({ app, endpoints }) => [versionKey(app.namespace, app.name, allPods), endpoints])),
    addresses: new Map(found.flatMap(({ key, service }) => service.addresses.filter(isIpv4Address).map((address): [string, string] => [key, address]))),
    headless: new Set(found.flatMap(({ key, service }) => (service.headless ? [key] : []))),
    problems: found.flatMap(({ problems }) => problems),
  };
});

/** Slices by `NAMESPACE/SERVICE`, in the order of their names: equal sets give equal lists. */
export const slicesByService: (slices: Objects<KubeEndpointSlice>) => ReadonlyMap<string, readonly KubeEndpointSlice[]> = memoize(
  (slices: Objects<KubeEndpointSlice>): ReadonlyMap<string, readonly KubeEndpointSlice[]> => {
    const result = new Map<string, KubeEndpointSlice[]>();
    for (const slice of [...slices.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (slice.service === "") continue;
      const key = `${slice.namespace}/${slice.service}`;
      const known = result.get(key);
      if (known === undefined) result.set(key, [slice]);
      else known.push(slice);
    }
    return result;
  },
);

/** An ExternalName is only another name in DNS. */
function isCallable(service: KubeService, slices: readonly KubeEndpointSlice[]): boolean {
  return service.type !== "ExternalName" && (service.hasSelector || slices.length > 0) && servicePorts(service).length > 0;
}

const translateService = memoizeLast((service: KubeService, ...slices: readonly KubeEndpointSlice[]): Translated => {
  const app = serviceApp(service);
  const problems = [...serviceProblems(service), ...familyProblems(service, slices)];
  return { key: appKey(app.namespace, app.name), app, endpoints: serviceEndpoints(service, slices, servicePorts(service)), problems };
});

/** Of the Service alone: what happens to its pods leaves it as it is. */
const serviceApp = memoize((service: KubeService): App => {
  const template = templateOf(service);
  return { namespace: template.namespace, name: template.app, versions: new Map([[allPods, template]]), weights: new Map([[allPods, 10_000]]) };
});

/** What compile needs to know; the rest, which is about starting workloads, is neutral: the cluster starts these. */
function templateOf(service: KubeService): Service {
  return {
    namespace: service.namespace as Namespace,
    app: service.name as AppName,
    version: allPods,
    ports: servicePorts(service),
    public: false,
    egress: true,
    drainMs: 30_000,
    graceMs: 30_000,
    command: [],
    dir: "/",
    env: {},
    health: {},
    scale: 0,
    mounts: [],
    stopSignal: "SIGTERM",
  };
}

function familyProblems(service: KubeService, slices: readonly KubeEndpointSlice[]): readonly Problem[] {
  if (slices.length === 0 || slices.some(isIpv4)) return [];
  return noIpv4(service, [...new Set(slices.map(({ family }) => family))].toSorted().join(", "));
}

const noIpv4 = memoizeLast((service: KubeService, families: string): readonly Problem[] => [
  {
    code: "kube-no-ipv4",
    message: `Service ${service.namespace}/${service.name}: its endpoints have ${families} addresses only, and the mesh reaches IPv4 ones`,
    hint: "give it `ipFamilyPolicy: PreferDualStack`, or leave its callers out of the mesh",
  },
]);

/** Says whether an address is one that the mesh can give callers. */
export function isIpv4Address(address: string): boolean {
  return !address.includes(":");
}
