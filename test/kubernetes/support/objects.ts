/** Kubernetes objects that tests create, as short as they can be said. */

interface PodOptions {
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  /** More of the container, and more of the pod. */
  readonly container?: object;
  readonly spec?: object;
}

/** A pod of one container on the node with this name; without an image it is a shell's that waits. */
export function pod(name: string, node: string, { image, labels = {}, command, container = {}, spec = {} }: PodOptions = {}): object {
  const words = command ?? (image === undefined ? ["sleep", "infinity"] : undefined);
  const main = { name: "main", image: `weir-test/${image ?? "tools"}:1`, ...(words === undefined ? {} : { command: words }), ...container };
  const common = {
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: 0,
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
  };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { ...common, containers: [main], ...spec } };
}

/** A Service in front of the pods with the label `app`. */
export function service(name: string, app: string, port: number, targetPort: number, appProtocol?: string): object {
  const own = { port, targetPort, ...(appProtocol === undefined ? {} : { appProtocol }) };
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app }, ports: [own] } };
}

/** What the echo image answers. */
export interface Echo {
  readonly hostname: string;
  readonly protocol: string;
  /** Address and port of who called. */
  readonly remote: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}
