/** What is wrong with Weir on a cluster, out of what whoever asks may see of it. Pure: `now` in milliseconds since the epoch. */
import type { MeshReport, ReportedNode, SystemReport } from "../model/mesh-report.ts";
import { definedKinds } from "./crds.ts";
import type { ComponentState, PodState } from "./read-state.ts";

/** One fact, and what to do when it is not as it should be. */
export interface ClusterCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly fix?: string;
  /** It may be well or not: whoever asks may not see it. */
  readonly unseen?: true;
}

/** What was looked for: it is there, it is not, or we may not see it. */
export type Sight<T> = { readonly kind: "seen"; readonly value: T } | { readonly kind: "absent" } | { readonly kind: "hidden"; readonly reason: string };

export interface ClusterFacts {
  /** Where the API server is, and its version: `v1.37.2`. */
  readonly server: string;
  readonly serverVersion: string;
  /** Of this program. */
  readonly version: string;
  /** The user's. */
  readonly namespace: string;
  /** Version of Weir that its namespace says. */
  readonly installed: Sight<string>;
  /** Kinds of weir.dev that the API server does not serve, and definitions that are others than ours; empty: all as they should be. */
  readonly missingKinds: readonly string[];
  readonly otherDefinitions: Sight<readonly string[]>;
  readonly control: Sight<ComponentState>;
  readonly agents: Sight<ComponentState>;
  readonly pods: Sight<readonly PodState[]>;
  /** Who holds the Lease; empty: nobody. */
  readonly leader: Sight<string>;
  /** Names of the cluster's nodes. */
  readonly nodes: Sight<readonly string[]>;
  /** What the control plane says of all, and of the user's namespace. */
  readonly system: Sight<SystemReport>;
  readonly own: Sight<MeshReport>;
  /** Whether an object with a mistake that only the webhook sees is refused. */
  readonly validation: Sight<"refuses" | "accepts">;
  /** What the user may not do in the namespace, by command. */
  readonly commands: Sight<{ readonly may: readonly string[]; readonly mayNot: readonly string[] }>;
}

/** Objects' resourceVersions can be compared since then, which our store does. */
const oldest = { major: 1, minor: 35 };
const dayMs = 86_400_000;

/** One line each, in the order in which one thing needs the other. */
export function clusterChecks(facts: ClusterFacts, now: number): readonly ClusterCheck[] {
  const checks = [serverCheck(facts), installedCheck(facts)];
  if (facts.missingKinds.length === allMissing) return checks;
  return [
    ...checks,
    definitionsCheck(facts),
    controlCheck(facts),
    ...nodeChecks(facts),
    authorityCheck(facts.system, now),
    meshCheck(facts),
    plainTextCheck(facts),
    ...labelChecks(facts.system),
    validationCheck(facts.validation),
    rightsCheck(facts),
  ];
}

/** The kinds that are declared, and the reports on them. */
const allMissing = definedKinds.length + 1;

function good(name: string, detail: string): ClusterCheck {
  return { name, ok: true, detail };
}

function bad(name: string, detail: string, fix: string): ClusterCheck {
  return { name, ok: false, detail, fix };
}

function unseen(name: string, reason: string): ClusterCheck {
  return { name, ok: true, detail: `not visible to you: ${reason}`, unseen: true };
}

function serverCheck({ server, serverVersion }: ClusterFacts): ClusterCheck {
  const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/.exec(serverVersion) ?? [];
  const isOld = Number(major) < oldest.major || (Number(major) === oldest.major && Number(minor) < oldest.minor);
  const detail = `Kubernetes ${serverVersion} at ${server}`;
  return isOld
    ? bad("api server", `${detail} is older than ${oldest.major}.${oldest.minor}`, `use Weir on a cluster of ${oldest.major}.${oldest.minor} or later`)
    : good("api server", detail);
}

function installedCheck({ version, installed, own, missingKinds }: ClusterFacts): ClusterCheck {
  const said = installed.kind === "seen" ? installed.value : own.kind === "seen" ? own.value.version : undefined;
  if (missingKinds.length === allMissing) return bad("weir", "it is not on this cluster", "weir install --wait");
  if (said === undefined || said === "") return unseen("weir", "which version is installed; its kinds are there");
  if (said === version) return good("weir", `version ${said}, as this program`);
  return bad(
    "weir",
    `version ${said} is installed, this program is ${version}`,
    "the older of the two should be replaced: weir install --wait, or another weir",
  );
}

function definitionsCheck({ missingKinds, otherDefinitions }: ClusterFacts): ClusterCheck {
  const name = "definitions";
  if (missingKinds.length > 0) return bad(name, `the API server serves no ${missingKinds.join(", ")} of weir.dev`, "weir install");
  if (otherDefinitions.kind !== "seen") return good(name, "all kinds are served; whether they are of this version is not visible to you");
  if (otherDefinitions.value.length === 0) return good(name, "all kinds are served, as this program knows them");
  return bad(name, `${otherDefinitions.value.join(", ")}: not as this program knows them`, "weir install");
}

function controlCheck({ control, leader, pods }: ClusterFacts): ClusterCheck {
  const name = "control plane";
  if (control.kind === "hidden") return unseen(name, control.reason);
  if (control.kind === "absent") return bad(name, "there is none", "weir install --wait");
  const { ready, wanted, done } = control.value;
  const leads = leader.kind === "seen" && leader.value !== "" ? `, ${leader.value.split("_")[0] ?? ""} leads` : ", nobody leads";
  const detail = `${ready} of ${wanted} ready${leader.kind === "hidden" ? "" : leads}`;
  if (ready === 0 || (leader.kind !== "hidden" && leads === ", nobody leads"))
    return bad(name, `${detail}${lateText(pods, "weir-control")}`, "kubectl -n weir-system describe pods -l app.kubernetes.io/name=weir-control");
  return done
    ? good(name, detail)
    : bad(name, `${detail}${lateText(pods, "weir-control")}`, "wait, or: kubectl -n weir-system describe pods -l app.kubernetes.io/name=weir-control");
}

function lateText(pods: Sight<readonly PodState[]>, component: string): string {
  if (pods.kind !== "seen") return "";
  const late = pods.value.filter(({ name, ready, ending }) => name.startsWith(`${component}-`) && !ready && !ending);
  return late.map(({ name, reason }) => `; ${name}: ${reason}`).join("");
}

/** One for each node: its agent's pod, and what the control plane hears of it. */
function nodeChecks({ nodes, pods, system, agents }: ClusterFacts): readonly ClusterCheck[] {
  if (agents.kind === "absent") return [bad("nodes", "there are no node agents: no pod is in the mesh", "weir install --wait")];
  const reported = system.kind === "seen" ? system.value.nodes : [];
  const names = nodes.kind === "seen" ? nodes.value : reported.map(({ name }) => name);
  if (names.length === 0) return [unseen("nodes", hiddenReason(nodes) ?? hiddenReason(system) ?? "there is no report yet")];
  return names.map((name) =>
    nodeCheck(
      name,
      pods,
      reported.find((node) => node.name === name),
      system.kind,
    ),
  );
}

function hiddenReason(sight: Sight<unknown>): string | undefined {
  return sight.kind === "hidden" ? sight.reason : undefined;
}

function nodeCheck(node: string, pods: Sight<readonly PodState[]>, report: ReportedNode | undefined, sight: Sight<unknown>["kind"]): ClusterCheck {
  const name = `node ${node}`;
  const own = pods.kind === "seen" ? pods.value.filter((pod) => pod.node === node && pod.name.startsWith("weir-node-") && !pod.ending) : undefined;
  const describe = `kubectl -n weir-system describe pods -l app.kubernetes.io/name=weir-node --field-selector spec.nodeName=${node}`;
  if (own?.length === 0) return bad(name, "no agent runs there: its pods are outside the mesh", "kubectl -n weir-system describe daemonset weir-node");
  const late = own?.find(({ ready }) => !ready);
  if (late !== undefined) return bad(name, `the agent ${late.name} is not ready: ${late.reason}`, describe);
  if (report === undefined)
    return sight === "seen"
      ? bad(name, "the control plane does not know it", "kubectl -n weir-system logs deployment/weir-control")
      : unseen(name, "what the control plane hears of it");
  if (report.agent !== "connected")
    return bad(name, `its agent does not talk with the control plane (${report.agent}); what its Envoy was told last is in force`, describe);
  if (report.proxy !== "connected" && report.pods > 0)
    return bad(name, "its Envoy does not talk with the control plane; what it was told last is in force", describe);
  if (report.refused !== undefined)
    return bad(
      name,
      `Envoy refused a change; the last good one is in force: ${report.refused}`,
      "this is a fault of Weir's: please report it with the message above",
    );
  const envoy = report.envoy === undefined ? "Envoy" : `Envoy ${report.envoy}`;
  const guard =
    report.guard === "active"
      ? "pods are captured before they start"
      : `pods are captured moments after they start${report.reason === undefined ? "" : ` (${report.reason})`}`;
  return good(name, `agent ready, ${envoy}, ${report.pods} ${report.pods === 1 ? "pod" : "pods"} of the mesh; ${guard}`);
}

function authorityCheck(system: Sight<SystemReport>, now: number): ClusterCheck {
  const name = "authority";
  if (system.kind !== "seen") return unseen(name, hiddenReason(system) ?? "there is no report yet");
  const { plugIn, rotation, notAfter, rootNotAfter, refused } = system.value.authority;
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const whose = plugIn ? "yours" : "Weir's own";
  const not = refused === undefined ? "" : `; what you gave last is not taken: ${refused}`;
  const until = `${whose}; it signs until ${day(notAfter)}, its root holds until ${day(rootNotAfter)}${not}`;
  const renew = plugIn
    ? "give a newer one: weir install --ca-dir DIR"
    : "it renews itself: see why it does not: kubectl -n weir-system logs deployment/weir-control";
  if (Math.min(notAfter, rootNotAfter) <= now) return bad(name, `${until}: no new certificate is signed`, renew);
  if (refused !== undefined) {
    const isEarly = refused.startsWith("rotation-running");
    return bad(name, until, isEarly ? "wait: it is tried again by itself" : "give one that is: weir install --ca-dir DIR");
  }
  if (Math.min(notAfter, rootNotAfter) - now < (plugIn ? 30 : 3) * dayMs) return bad(name, `${until}: that is soon`, renew);
  const moving = {
    stable: "",
    spreading: "; a new root is being told to all nodes",
    moving: "; a new root signs, certificates below the one before are still in use",
  };
  return good(name, `${until}${moving[rotation]}`);
}

const shownPods = 10;

function meshCheck({ system, own, namespace }: ClusterFacts): ClusterCheck {
  const name = "mesh";
  const label = `pods join by a label: kubectl label namespace ${namespace} weir.dev/mesh=on`;
  if (system.kind === "seen") {
    const { waiting, nodes } = system.value;
    const all = nodes.reduce((sum, { pods }) => sum + pods, 0);
    if (waiting.length === 0) return good(name, all === 0 ? `no pod is wanted in the mesh (${label})` : `${all} of ${all} pods joined`);
    return bad(
      name,
      `${waiting.length} of ${all} pods did not join: ${waiting
        .slice(0, shownPods)
        .map(({ pod, reason }) => `${pod}: ${reason}`)
        .join("; ")}`,
      waitFix,
    );
  }
  if (own.kind === "seen") {
    const late = own.value.pods.filter(({ state }) => state === "joining");
    const all = own.value.pods.length;
    if (late.length === 0) return good(name, `${all} of ${all} pods in ${namespace} joined`);
    const reasons = late.slice(0, shownPods).map((pod) => `${pod.name}: ${pod.reason ?? ""}`);
    return bad(name, `${late.length} of ${all} pods in ${namespace} did not join: ${reasons.join("; ")}`, waitFix);
  }
  return own.kind === "absent" ? good(name, `no pod of ${namespace} is wanted in the mesh (${label})`) : unseen(name, hiddenReason(own) ?? "");
}

const waitFix = "it takes a second or two; when it lasts, the log of the node's agent says more: kubectl -n weir-system logs daemonset/weir-node";

/** No failure: somebody wanted it so. But nobody should forget it. */
function plainTextCheck({ system, own, namespace }: ClusterFacts): ClusterCheck {
  const name = "plain text";
  const strict = "pods of the mesh take callers of the mesh only";
  if (system.kind === "seen") {
    const { permissive } = system.value;
    return good(name, permissive.length === 0 ? strict : `permissive, so that callers outside the mesh come in, too: ${permissive.join(", ")}`);
  }
  if (own.kind !== "seen") return own.kind === "absent" ? good(name, `no pod of ${namespace} is in the mesh`) : unseen(name, hiddenReason(own) ?? "");
  const pods = own.value.pods.filter(({ mode }) => mode === "permissive").map(({ name: pod }) => pod);
  if (own.value.mode === "permissive") return good(name, `the namespace ${namespace} is permissive: callers outside the mesh come in, too`);
  return good(name, pods.length === 0 ? `${strict} in ${namespace}` : `permissive, so that callers outside the mesh come in, too: ${pods.join(", ")}`);
}

function labelChecks(system: Sight<SystemReport>): readonly ClusterCheck[] {
  if (system.kind !== "seen") return [];
  return system.value.problems.map((problem) => bad("objects", problem, "mend it where it is declared"));
}

/** Nothing depends on it but that mistakes are told at once. */
function validationCheck(validation: Sight<"refuses" | "accepts">): ClusterCheck {
  const name = "validation";
  if (validation.kind !== "seen") return unseen(name, hiddenReason(validation) ?? "");
  if (validation.value === "refuses") return good(name, "objects of weir.dev are checked before they are kept");
  const fix = "it is there moments after the control plane; if not: weir install, and kubectl -n weir-system logs deployment/weir-control";
  return bad(name, "the API server does not ask the control plane: objects with mistakes are kept, and only their status says so", fix);
}

function rightsCheck({ commands, namespace }: ClusterFacts): ClusterCheck {
  const name = "your rights";
  if (commands.kind !== "seen") return unseen(name, hiddenReason(commands) ?? "");
  const { may, mayNot } = commands.value;
  if (mayNot.length === 0) return good(name, `all commands in ${namespace}`);
  return good(name, `in ${namespace} you may not: ${mayNot.join(", ")}${may.length === 0 ? "" : `; you may: ${may.join(", ")}`}`);
}
