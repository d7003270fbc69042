/** What the API server must know of declared objects beyond the model's types: defaults (the same as weir.yaml's), limits, what must hold. */
import { quantityPattern } from "../model/quantity.ts";
import type { CelRule, FieldRules, RulesByPath } from "./crd-schema.ts";

const labelText = { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", maxLength: 63 } as const;
const portNumber = { minimum: 1, maximum: 65_535 } as const;
const share = { maximum: 10_000 } as const;
const rules = (...all: readonly (readonly [string, string])[]): { readonly "x-kubernetes-validations": readonly CelRule[] } => ({
  "x-kubernetes-validations": all.map(([rule, message]) => ({ rule, message })),
});

const ports = {
  ports: { default: [], unique: "port", description: "What callers use, and what the process listens on." },
  "ports[].port": { ...portNumber, description: "What callers use." },
  "ports[].containerPort": { ...portNumber, filled: true, description: "What the process listens on; the same as `port` unless said." },
  "ports[].protocol": { default: "http" },
} as const satisfies RulesByPath;

const probe = (name: string): RulesByPath => ({
  [`health.${name}.initialDelayMs`]: { default: 0 },
  [`health.${name}.intervalMs`]: { default: 2000 },
  [`health.${name}.timeoutMs`]: { default: 1000 },
  [`health.${name}.failureThreshold`]: { default: 3 },
  [`health.${name}.successThreshold`]: { default: 1 },
  [`health.${name}.check.port`]: portNumber,
  [`health.${name}.check.headers`]: { filled: true },
  [`health.${name}.check.service`]: { filled: true },
});

const isPerNode = "has(self.perNode) && self.perNode";
const hasVolumes = (of: string): string => `has(${of}.volumes) && size(${of}.volumes) > 0`;
const sameVolume = "old.name == one.name && old.size == one.size && has(old.class) == has(one.class) && (!has(one.class) || old.class == one.class)";
const amount = { pattern: quantityPattern, minLength: 1, maxLength: 32 } as const;

/** Of a Version's spec. */
export const versionFields: RulesByPath = {
  "": {
    description: "One version of an app: what its pods are made from.",
    ...rules(
      ["self.app == oldSelf.app && self.version == oldSelf.version", "app and version cannot change: make another Version"],
      ["has(self.image) != has(self.adopted)", "a version needs an image, or to say whose pods it adopts, and not both"],
      ["has(self.adopted) == has(oldSelf.adopted)", "a version cannot come to have somebody else's pods, nor lose them: make another Version"],
      [`!(${isPerNode}) || !(${hasVolumes("self")})`, "one on every node and volumes do not go together"],
      [`!(${isPerNode}) || !has(self.autoscale)`, "one on every node is no number that autoscaling could change"],
      ["!has(self.autoscale) || (self.scale >= 1 && self.autoscale.max >= self.scale)", "autoscale: scale is the smallest number, from 1 to autoscale.max"],
      ["!has(self.autoscale) || (has(self.resources) && has(self.resources.cpu))", "autoscale needs resources.cpu, which its percentage is of"],
      [
        `!(${hasVolumes("oldSelf")}) || !(${hasVolumes("self")}) || (size(self.volumes) == size(oldSelf.volumes) && self.volumes.all(one, oldSelf.volumes.exists(old, ${sameVolume})))`,
        "a version's volumes keep their names, sizes and classes: make another Version, or resize the PersistentVolumeClaims themselves",
      ],
    ),
  },
  app: { ...labelText, description: "The name that clients call." },
  version: { ...labelText, description: "Which version of the app this is." },
  image: { minLength: 1, description: "The container image." },
  adopted: {
    description: "Somebody else's Deployment, StatefulSet or DaemonSet, which is never changed: its pods are this version's.",
    ...rules([
      "[has(self.deployment), has(self.statefulSet), has(self.daemonSet)].filter(one, one).size() == 1",
      "adopted: name a deployment, a statefulSet or a daemonSet, exactly one",
    ]),
  },
  "adopted.deployment": { minLength: 1, description: "The name of a Deployment." },
  "adopted.statefulSet": { minLength: 1, description: "The name of a StatefulSet." },
  "adopted.daemonSet": { minLength: 1, description: "The name of a DaemonSet." },
  "adopted.selector": { description: "Its spec.selector.matchLabels." },
  command: { default: [], description: "In place of the image's own entrypoint and arguments." },
  dir: { default: "/", description: "Means nothing on a cluster: the image says its working directory." },
  env: { default: {}, maxProperties: 500, description: "Values, or keys of configs and secrets." },
  "env{}.kind": { default: "literal" },
  ...ports,
  public: { filled: true, description: "Reachable through the gateway; true with an http or http2 port unless said." },
  health: { default: {}, description: "When it has started, is ready, is alive." },
  ...probe("start"),
  ...probe("ready"),
  ...probe("live"),
  scale: { default: 1, maximum: 10_000, description: "How many pods; at least so many with `autoscale`." },
  autoscale: { description: "The number of pods follows their use of the processor: a HorizontalPodAutoscaler." },
  "autoscale.max": { minimum: 1, maximum: 10_000 },
  "autoscale.cpu": { default: 80, minimum: 1, maximum: 1_000, description: "Percent of resources.cpu." },
  perNode: { description: "A pod on every node that takes it, in place of `scale`: a DaemonSet." },
  resources: { description: "What each pod is sure to get; of memory it gets no more either." },
  "resources.cpu": amount,
  "resources.memory": amount,
  volumes: { unique: "name", maxItems: 16, description: "Folders of each pod's own that outlive it: a StatefulSet with claims." },
  "volumes[].name": { ...labelText, description: "Its claims are called NAME-APP-VERSION-NUMBER." },
  "volumes[].path": { pattern: "^/.+", maxLength: 4096 },
  "volumes[].size": { default: "1Gi", ...amount },
  "volumes[].class": { minLength: 1, maxLength: 253, description: "The storage class; the cluster's usual one unless said." },
  mounts: { default: [], unique: "path", description: "Configs and secrets as files." },
  drainMs: { default: 30_000, description: "Longest wait for requests in flight before a pod is stopped, in milliseconds." },
  graceMs: { default: 10_000, description: "Between the stop signal and SIGKILL, in milliseconds." },
  stopSignal: { default: "SIGTERM" },
  egress: { default: false, description: "May call anything outside the mesh." },
  origin: { default: "file", description: "`file` prunes with its stack, `command` stays until it is removed." },
  restarts: { default: 0, description: "Counts the restarts that were asked for: another number replaces every pod." },
};

const sum: FieldRules = rules(["self.map(version, self[version]).sum() == 10000", "weights must sum to 10000 (basis points)"]);

/** Of an App's spec. */
export const appFields: RulesByPath = {
  "": { description: "How an app's traffic is shared between its versions." },
  weights: { ...sum, description: "Basis points by version; a version that is not named gets nothing." },
  "weights{}": share,
  rollout: { description: "The way from old shares to `weights`; the clock says where it is." },
  "rollout.from": sum,
  "rollout.from{}": share,
  "rollout.startedAt": { description: "Milliseconds since 1970." },
  history: { default: [], maxItems: 50, description: "Changes, oldest first." },
};

const changes = (path: string): RulesByPath => ({ [`${path}.add`]: { default: [] }, [`${path}.set`]: { default: [] }, [`${path}.remove`]: { default: [] } });
const noChanges = { default: { add: [], set: [], remove: [] } } as const;
const target = (path: string): RulesByPath => ({
  [`${path}.to`]: rules(["has(self.version) == (self.kind == 'version')", "a version is named by the kind version, and by no other"]),
  [`${path}.to.kind`]: { default: "app" },
  [`${path}.to.namespace`]: { filled: true, description: "The router's own unless said." },
  [`${path}.to.port`]: portNumber,
});
const texts = (part: string): RulesByPath => ({
  [`rules[].match[].${part}`]: { default: [], maxItems: 16 },
  [`rules[].match[].${part}[].value.kind`]: { default: "exact" },
});
const destinations = "rules[].action.destinations";

/** Of a Router's spec. */
export const routerFields: RulesByPath = {
  "": { description: "Host names and rules in front of apps." },
  hosts: { default: [], description: "Names it answers to beside its own: `shop.example`, `*.shop.example`." },
  public: { default: true, description: "Reachable through the gateway." },
  rules: { minItems: 1, maxItems: 128, description: "The first that matches wins." },
  "rules[].match": { default: [], maxItems: 16, description: "Any of these; none: everything." },
  "rules[].match[].methods": { default: [], maxItems: 16 },
  "rules[].match[].path.kind": { default: "exact" },
  ...texts("headers"),
  ...texts("query"),
  ...texts("cookies"),
  "rules[].action": rules([
    "self.kind != 'forward' || (has(self.destinations) && self.destinations.map(to, to.weight).sum() == 10000)",
    "the destinations' weights must sum to 10000 (basis points)",
  ]),
  "rules[].action.kind": { default: "forward" },
  [destinations]: { minItems: 1, maxItems: 32 },
  [`${destinations}[].weight`]: { default: 10_000, ...share, description: "Basis points." },
  ...target(`${destinations}[]`),
  ...changes(`${destinations}[].requestHeaders`),
  ...changes(`${destinations}[].responseHeaders`),
  "rules[].action.mirrors": { maxItems: 16 },
  "rules[].action.mirrors[].share": share,
  ...target("rules[].action.mirrors[]"),
  "rules[].action.refused": share,
  "rules[].action.redirect.port": portNumber,
  "rules[].requestHeaders": noChanges,
  ...changes("rules[].requestHeaders"),
  "rules[].responseHeaders": noChanges,
  ...changes("rules[].responseHeaders"),
};

/** Of a Job's spec. */
export const jobFields: RulesByPath = {
  "": { description: "What runs to its end: once for everything that it is made from, or by a schedule." },
  image: { minLength: 1, description: "The container image." },
  command: { default: [], description: "In place of the image's own entrypoint and arguments." },
  dir: { default: "/", description: "Means nothing on a cluster: the image says its working directory." },
  env: { default: {}, maxProperties: 500, description: "Values, or keys of configs and secrets." },
  "env{}.kind": { default: "literal" },
  mounts: { default: [], unique: "path", description: "Configs and secrets as files." },
  graceMs: { default: 10_000, description: "Between the stop signal and SIGKILL, in milliseconds." },
  stopSignal: { default: "SIGTERM" },
  resources: { description: "What each pod is sure to get; of memory it gets no more either." },
  "resources.cpu": amount,
  "resources.memory": amount,
  egress: { default: false, description: "May call anything outside the mesh." },
  schedule: { description: "When it runs; without it: once, and again when what it is made from changes." },
  "schedule.cron": { minLength: 1, description: "Five fields, as CronJobs have them." },
  "schedule.timeZone": { default: "UTC", description: "IANA's name." },
  retries: { default: 3, maximum: 100, description: "How often it is tried again when it fails." },
  timeoutMs: { minimum: 1000, description: "Longest time of a run, with what is tried again, in milliseconds." },
  concurrency: { default: "forbid", description: "What a time of the schedule does while a run goes on." },
  keep: { default: 3, minimum: 1, maximum: 20, description: "How many ended runs are kept, with what they said." },
  restarts: { default: 0, description: "Counts the runs that were asked for: another number is another run." },
};

/** Of an ExternalService's spec. */
export const externalFields: RulesByPath = {
  "": { description: "Something outside the mesh under a name of ours." },
  endpoints: { minItems: 1, description: "Where it is: host names or addresses." },
  "endpoints[].host": { minLength: 1 },
  "endpoints[].port": portNumber,
  ...ports,
  ports: { unique: "port", minItems: 1, description: "What callers use." },
  tls: { description: "TLS is originated towards it." },
};
