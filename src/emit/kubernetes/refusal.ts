/** What a mesh cannot say, as problems. */
import type { Problem, SourcePlace } from "../../lib/problem.ts";

export type Mesh = "istio" | "linkerd" | "gateway-api";

const titles: Readonly<Record<Mesh, string>> = { istio: "Istio", linkerd: "Linkerd", "gateway-api": "Gateway API" };

/** The mesh's name as its makers write it, to begin a sentence with. */
export function meshTitle(mesh: Mesh): string {
  return titles[mesh];
}

/** Where a refused thing stands and what to do instead. */
export interface Refused {
  readonly mesh: Mesh;
  /** Completes the sentence "MESH …": `has no retries on refused-stream`. */
  readonly because: string;
  readonly where: SourcePlace | undefined;
  readonly hint: string;
}

/** The mesh cannot express a feature that the file uses. */
export function unsupported(refused: Refused): Problem {
  return problemOf("mesh-unsupported", refused);
}

/** The mesh would choose another rule than the first that matches. */
export function outOfOrder(refused: Refused): Problem {
  return problemOf("mesh-rule-order", refused);
}

function problemOf(code: string, { mesh, because, where, hint }: Refused): Problem {
  return { code, message: `${meshTitle(mesh)} ${because}`, ...(where === undefined ? {} : { where }), hint };
}

/** Leaves out what was found twice: a rule is looked at once for the mesh and once for the gateway. Keeps the order. */
export function distinctProblems(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of problems) {
    const { code, message, where } = problem;
    const key = JSON.stringify([code, message, where?.file, where?.line, where?.column]);
    if (!seen.has(key)) seen.set(key, problem);
  }
  return [...seen.values()];
}
