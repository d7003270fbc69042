/** A new version as a copy of another with changes: at 0 %, until somebody gives it weight. */
import { didYouMean } from "../lib/did-you-mean.ts";
import { failed, ok, type Result } from "../lib/problem.ts";
import type { Declared, DeclaredSnapshot, Put } from "../model/declared.ts";
import { type AppName, appKey, type Namespace, type VersionName, versionKey } from "../model/names.ts";
import type { Service } from "../model/types.ts";

export interface StageOptions {
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** Absent: the version with the most weight. */
  readonly from?: VersionName;
  readonly env: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly image?: string;
  readonly dir?: string;
  readonly scale?: number;
}

/** The write that adds the version; it belongs to the stack of the one it copies. Problems: `app-unknown`, `version-unknown`, `version-exists`. */
export function stageVersion(snapshot: DeclaredSnapshot, options: StageOptions): Result<Put> {
  const { namespace, app, version } = options;
  const versions = versionsOf(snapshot, namespace, app);
  if (versions.size === 0) return failed(unknownApp(snapshot, namespace, app));
  if (versions.has(version)) {
    return failed({
      code: "version-exists",
      message: `${app}@${version} exists already`,
      hint: "a version is never changed; choose another name for the new one",
    });
  }
  const from = options.from ?? heaviest(snapshot, namespace, app);
  const source = from === undefined ? undefined : versions.get(from);
  if (source === undefined) {
    const hint = didYouMean(from ?? "", versions.keys());
    return failed({ code: "version-unknown", message: `${app} has no version ${from}`, ...(hint === undefined ? {} : { hint }) });
  }
  const put: Put = {
    op: "put",
    kind: "service",
    key: versionKey(namespace, app, version),
    ...(source.stack === undefined ? {} : { stack: source.stack }),
    value: { service: changed(source.value.service, options), origin: "command", restarts: 0 },
    expected: 0,
  };
  return ok(put);
}

function changed(service: Service, options: StageOptions): Service {
  const env = Object.fromEntries(Object.entries(options.env).map(([name, value]) => [name, { kind: "literal" as const, value }]));
  // A copy runs by itself: it does not share the pods that were adopted.
  const { adopted: _adopted, ...copy } = service;
  // Who says how many means neither one on every node nor as many as it takes.
  const { autoscale: _autoscale, perNode: _perNode, ...counted } = copy;
  const template = options.scale === undefined ? copy : counted;
  return {
    ...template,
    version: options.version,
    env: { ...service.env, ...env },
    command: options.command ?? service.command,
    ...(options.image === undefined ? {} : { image: options.image }),
    dir: options.dir ?? service.dir,
    scale: options.scale ?? service.scale,
  };
}

/** All declared versions of an app. */
export function versionsOf(snapshot: DeclaredSnapshot, namespace: Namespace, app: AppName): ReadonlyMap<VersionName, Declared<"service">> {
  const found = new Map<VersionName, Declared<"service">>();
  for (const object of snapshot.objects.service.values()) {
    const { service } = object.value;
    if (service.namespace === namespace && service.app === app) found.set(service.version, object);
  }
  return found;
}

function heaviest(snapshot: DeclaredSnapshot, namespace: Namespace, app: AppName): VersionName | undefined {
  const weights = Object.entries(snapshot.objects.app.get(appKey(namespace, app))?.value.weights ?? {});
  return weights.toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]?.[0] as VersionName | undefined;
}

/** The problem of an app that is not declared. */
export function unknownApp(snapshot: DeclaredSnapshot, namespace: Namespace, app: string): { code: string; message: string; hint?: string } {
  const known = [...snapshot.objects.app.values()].filter((object) => object.value.namespace === namespace).map((object) => object.value.app);
  const hint = didYouMean(app, known);
  return { code: "app-unknown", message: `there is no app ${app} in namespace ${namespace}`, ...(hint === undefined ? {} : { hint }) };
}
