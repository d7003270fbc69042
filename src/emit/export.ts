/**
 * `weir export`: a file as the plain Kubernetes objects that mean the same to another mesh. It is the traffic side only:
 * services of a file have commands and folders of this machine, mostly, so of workloads only jobs are printed.
 */
import { compileWorld } from "../compile/compile.ts";
import type { MeshPlan } from "../compile/mesh-plan.ts";
import { localGateway, worldOfStack } from "../compile/world-of-stack.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { defaultNamespace, type Namespace } from "../model/names.ts";
import type { Config, Stack } from "../model/types.ts";
import { emitGatewayApi } from "./gateway-api/emit.ts";
import { gatewayHttpPort, publicHosts } from "./gateway-api/gateway.ts";
import { emitIstio } from "./istio/emit.ts";
import { emitJobs, jobNotices, jobProblems } from "./kubernetes/jobs.ts";
import { appLabel, versionLabel } from "./kubernetes/names.ts";
import { emitNamespaces, joinCommand } from "./kubernetes/namespace.ts";
import { type Emission, type KubeObject, metadata } from "./kubernetes/object.ts";
import { printObjects, sortObjects } from "./kubernetes/print.ts";
import { type Mesh, meshTitle } from "./kubernetes/refusal.ts";
import { emitLinkerd } from "./linkerd/emit.ts";

/** Every mesh that a plan can be written for, besides Weir's own. */
export const emitters: Readonly<Record<Mesh, (plan: MeshPlan) => Result<Emission>>> = {
  "gateway-api": emitGatewayApi,
  istio: emitIstio,
  linkerd: emitLinkerd,
};

export interface Exported {
  /** Documents in a fixed order, below a header of comments. */
  readonly yaml: string;
  /** The same remarks as in the header: what the reader must know or do besides applying the objects. */
  readonly notices: readonly string[];
}

/** Prints a stack for `mesh`; names at the gateway end in `domain`. */
export function printStack(stack: Stack, mesh: Mesh, { domain = localGateway.domain }: { readonly domain?: string } = {}): Result<Exported> {
  const { plan, problems } = compileWorld(worldOfStack(stack, { gateway: { ...localGateway, port: gatewayHttpPort, domain } }));
  if (problems.length > 0) return failed(...problems);
  const emitted = emitters[mesh](plan);
  const unprintable = [...stack.configs.flatMap(configProblems), ...jobProblems(stack.jobs, mesh)];
  if (!emitted.ok) return failed(...emitted.problems, ...unprintable);
  if (unprintable.length > 0) return failed(...unprintable);
  const namespaces = namespacesOf(stack, plan);
  const objects = [
    ...emitNamespaces(namespaces, emitted.value.membership),
    ...stack.configs.map(emitConfig),
    ...emitJobs(stack.jobs, mesh),
    ...emitted.value.objects,
  ];
  const notices = [...emitted.value.notices, ...noticesOf(stack, plan, namespaces.has(defaultNamespace) ? joinCommand(emitted.value.membership) : undefined)];
  const header = [
    `Stack ${stack.name} for ${meshTitle(mesh)}, printed by \`weir export --mesh ${mesh}\`: the traffic side, ${stack.jobs.length === 0 ? "without workloads" : "and jobs, without the workloads of services"}.`,
    ...notices.map((notice) => `- ${notice}`),
  ];
  return ok({ yaml: printObjects(sortObjects(unique(objects).map((object) => labelled(object, stack))), header), notices });
}

function namespacesOf(stack: Stack, plan: MeshPlan): ReadonlySet<Namespace> {
  const used = [...plan.hosts, ...stack.configs, ...stack.jobs].map(({ namespace }) => namespace);
  return new Set([...used, ...stack.namespaces]);
}

function emitConfig({ name, namespace, data }: Config): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: metadata({ name, namespace }), data };
}

/** Keys become names of files there, too, but with fewer characters to choose from; and a ConfigMap holds 1 MiB. */
function configProblems({ name, data }: Config): readonly Problem[] {
  const odd = Object.keys(data)
    .filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key))
    .map((key) => ({
      code: "kubernetes-name",
      message: `Kubernetes takes no key like \`${key}\` in a ConfigMap (config \`${name}\`): letters, digits, -, _ and . only`,
      hint: "Give the key another name.",
    }));
  const size = Object.values(data).reduce((sum, text) => sum + text.length, 0);
  const large = {
    code: "kubernetes-size",
    message: `Kubernetes takes at most 1 MiB in a ConfigMap; config \`${name}\` has more`,
    hint: "Put large files into the image.",
  };
  return size > 1_048_576 ? [...odd, large] : odd;
}

function noticesOf(stack: Stack, plan: MeshPlan, join: string | undefined): readonly string[] {
  const hasApps = stack.services.length > 0;
  return [
    ...(hasApps
      ? [
          `Workloads are yours to write, as the file has commands and not images: their pods need the labels ${appLabel} (the app) and ${versionLabel} (the version).`,
          "What the file does not say is the mesh's own default: connection limits, ejection of failing pods, safe retries; and calls to the outside are not blocked.",
        ]
      : []),
    ...jobNotices(stack.jobs),
    ...(join === undefined ? [] : [`Namespace ${defaultNamespace} is there already and not printed; it joins the mesh by: ${join}`]),
    ...(publicHosts(plan).length > 0 ? [`Names at the gateway end in .${plan.gateway.domain} besides the routers' own hosts.`] : []),
    ...stack.secrets.map(
      ({ name, namespace, data }) =>
        `Secret ${name} in namespace ${namespace} is never printed: create it yourself with the key(s) ${Object.keys(data).sort().join(", ")}.`,
    ),
  ];
}

/** Adds the stack's name, where Kubernetes takes it as a label. Namespaces may belong to several stacks. */
function labelled(object: KubeObject, { name }: Stack): KubeObject {
  if (object.kind === "Namespace" || !/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name)) return object;
  return { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, "app.kubernetes.io/part-of": name } } };
}

/** Two objects of one name would overwrite each other when applied. */
function unique(objects: readonly KubeObject[]): readonly KubeObject[] {
  const seen = new Set<string>();
  for (const { kind, metadata: named } of objects) {
    const key = `${kind} ${named.namespace ?? ""}/${named.name}`;
    if (seen.has(key)) throw new Error(`${key} was emitted twice`);
    seen.add(key);
  }
  return objects;
}
