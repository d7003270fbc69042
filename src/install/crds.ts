/** The CustomResourceDefinitions of weir.dev, made from the model: what is declared, as the API server keeps it. */

import { type JsonSchema, jsonSchemaOf } from "../model/declared-json-schema.ts";
import { type ClusterKind, type ClusterKindNames, clusterKinds, weirGroup, weirVersion } from "../model/declared-kinds.ts";
import { appFields, externalFields, jobFields, routerFields, versionFields } from "./crd-fields.ts";
import { type CelRule, type RulesByPath, type StructuralSchema, structuralSchema } from "./crd-schema.ts";
import { type InstallObject, labelsOf } from "./objects.ts";

type OwnKind = Exclude<ClusterKind, "config" | "secret">;

interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date";
  readonly jsonPath: string;
}

interface Definition {
  readonly shortName: string;
  readonly singular: string;
  readonly fields: RulesByPath;
  /** Fields of the model's value that are the object's own name and namespace, or mean nothing on a cluster. */
  readonly without: readonly string[];
  readonly nameRules: readonly CelRule[];
  readonly status: Readonly<Record<string, StructuralSchema>>;
  readonly columns: readonly Column[];
  readonly more?: object;
}

const text: StructuralSchema = { type: "string" };
const whole: StructuralSchema = { type: "integer", format: "int64" };
const flag: StructuralSchema = { type: "boolean" };
const condition: StructuralSchema = {
  type: "object",
  required: ["type", "status", "reason", "message", "lastTransitionTime"],
  properties: {
    type: text,
    status: { type: "string", enum: ["True", "False", "Unknown"] },
    reason: text,
    message: text,
    observedGeneration: whole,
    lastTransitionTime: { type: "string", format: "date-time" },
  },
};
const anyStatus = {
  observedGeneration: whole,
  reason: text,
  conditions: { type: "array", items: condition, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] },
} as const;

const label = (what: string): CelRule => ({
  rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
  message: `${what} is one part of a DNS name: up to 63 of a-z, 0-9 and -`,
});
const column = (name: string, jsonPath: string, type: Column["type"] = "string"): Column => ({ name, type, jsonPath });
const age = column("Age", ".metadata.creationTimestamp", "date");
const reason = column("Reason", ".status.reason");

const definitions: { readonly [K in OwnKind]: Definition } = {
  external: {
    shortName: "wext",
    singular: "externalservice",
    fields: externalFields,
    without: ["namespace", "name", "where"],
    nameRules: [label("an external service's name")],
    status: { ...anyStatus, programmed: flag },
    columns: [column("Endpoints", ".spec.endpoints[*].host"), column("Programmed", ".status.programmed", "boolean"), age, reason],
  },
  service: {
    shortName: "wver",
    singular: "version",
    fields: versionFields,
    without: ["namespace"],
    nameRules: [
      { rule: "self.metadata.name == self.spec.app + '-' + self.spec.version", message: "the name must be APP-VERSION, as spec.app and spec.version say" },
      { rule: "size(self.metadata.name) <= 63", message: "APP-VERSION is also a Service's name: up to 63 characters" },
      {
        rule: "!has(self.spec.volumes) || size(self.spec.volumes) == 0 || size(self.metadata.name) <= 52",
        message: "with volumes APP-VERSION is also part of pods' labels: up to 52 characters",
      },
    ],
    status: {
      ...anyStatus,
      hash: text,
      state: text,
      ready: whole,
      wanted: whole,
      weight: whole,
      shown: { type: "object", properties: { ready: text, weight: text } },
    },
    columns: [
      column("App", ".spec.app"),
      column("Version", ".spec.version"),
      column("State", ".status.state"),
      column("Ready", ".status.shown.ready"),
      column("Weight", ".status.shown.weight"),
      age,
      reason,
    ],
    more: {
      selectableFields: [{ jsonPath: ".spec.app" }, { jsonPath: ".spec.version" }],
      subresources: { status: {}, scale: { specReplicasPath: ".spec.scale", statusReplicasPath: ".status.ready" } },
    },
  },
  app: {
    shortName: "wapp",
    singular: "app",
    fields: appFields,
    without: ["namespace", "app"],
    nameRules: [label("an app's name")],
    status: {
      ...anyStatus,
      programmed: flag,
      weights: { type: "object", additionalProperties: whole },
      shown: { type: "object", properties: { weights: text } },
    },
    columns: [column("Weights", ".status.shown.weights"), column("Programmed", ".status.programmed", "boolean"), age, reason],
  },
  job: {
    shortName: "wjob",
    singular: "job",
    fields: jobFields,
    without: ["namespace", "name", "where"],
    nameRules: [
      label("a job's name"),
      { rule: "size(self.metadata.name) <= 52", message: "a job's name is the beginning of its runs' names: up to 52 characters" },
    ],
    status: {
      ...anyStatus,
      hash: text,
      state: text,
      begun: text,
      nextRunAt: whole,
      runs: {
        type: "array",
        items: { type: "object", properties: { name: text, cause: text, state: text, startedAt: whole, endedAt: whole, reason: text, hopeless: flag } },
      },
      shown: { type: "object", properties: { lastRun: text, lastState: text, nextRun: text } },
    },
    columns: [
      column("State", ".status.state"),
      column("Schedule", ".spec.schedule.cron"),
      column("Last Run", ".status.shown.lastRun", "date"),
      column("Ended", ".status.shown.lastState"),
      column("Next Run", ".status.shown.nextRun"),
      age,
      reason,
    ],
  },
  router: {
    shortName: "wroute",
    singular: "router",
    fields: routerFields,
    without: ["namespace", "name", "where", "rules[].where"],
    nameRules: [label("a router's name")],
    status: { ...anyStatus, programmed: flag },
    columns: [column("Hosts", ".spec.hosts"), column("Public", ".spec.public", "boolean"), column("Programmed", ".status.programmed", "boolean"), age, reason],
  },
};

const defined = ["external", "service", "app", "job", "router"] as const satisfies readonly OwnKind[];

/** The kinds that are defined, in the order in which their objects are written. */
export const definedKinds: readonly ClusterKindNames[] = defined.map((kind) => clusterKinds[kind]);

/** All definitions. */
export function definitionObjects(): readonly InstallObject[] {
  return defined.map(definitionOf);
}

function definitionOf(kind: OwnKind): InstallObject {
  const { resource, kind: name } = clusterKinds[kind];
  const { shortName, singular, columns, more } = definitions[kind];
  const version = {
    name: weirVersion,
    served: true,
    storage: true,
    schema: { openAPIV3Schema: rootSchema(kind) },
    subresources: { status: {} },
    additionalPrinterColumns: columns,
    ...more,
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${resource}.${weirGroup}`, labels: labelsOf("weir") },
    spec: {
      group: weirGroup,
      scope: "Namespaced",
      names: { plural: resource, singular, kind: name, listKind: `${name}List`, shortNames: [shortName], categories: ["weir"] },
      versions: [version],
    },
  };
}

function rootSchema(kind: OwnKind): StructuralSchema {
  const { fields, nameRules, status } = definitions[kind];
  return {
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: text,
      kind: text,
      metadata: { type: "object" },
      spec: specSchema(kind, fields),
      status: { type: "object", description: "What the control plane says; it alone writes it.", properties: status },
    },
    "x-kubernetes-validations": nameRules,
  };
}

/** The schema of a kind's `spec`, as the API server checks and completes it. */
export function specSchema(kind: OwnKind, fields: RulesByPath = definitions[kind].fields): StructuralSchema {
  return structuralSchema(without(specOf(kind), definitions[kind].without), fields);
}

/** The model's value with the names of a spec: a Version's has the service's fields and its own beside each other, a Job's the job's. */
function specOf(kind: OwnKind): JsonSchema {
  const schema = jsonSchemaOf(kind);
  if (kind !== "service" && kind !== "job") return schema;
  const { [kind]: made, ...own } = schema.properties ?? {};
  const required = [...(made?.required ?? []), ...(schema.required ?? []).filter((name) => name !== kind)];
  return { type: "object", properties: { ...made?.properties, ...own }, required };
}

/** A copy without the fields at these paths. */
function without(schema: JsonSchema, paths: readonly string[]): JsonSchema {
  const own = new Set(paths.filter((path) => !path.includes("[]")));
  const entries = Object.entries(schema.properties ?? {}).filter(([name]) => !own.has(name));
  const properties = entries.map(([name, field]): [string, JsonSchema] => {
    const inner = paths.filter((path) => path.startsWith(`${name}[].`)).map((path) => path.slice(name.length + 3));
    return [name, inner.length === 0 || field.items === undefined ? field : { ...field, items: without(field.items, inner) }];
  });
  return { ...schema, properties: Object.fromEntries(properties), required: (schema.required ?? []).filter((name) => !own.has(name)) };
}
