/** etcd, API server, controller manager and scheduler in the control plane's sandbox. */
import path from "node:path";
import { type Daemon, startDaemon, until } from "./daemon.ts";
import type { Folders } from "./folders.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { kubectl } from "./kubectl.ts";
import { issue, makeTokenKeys } from "./pki.ts";
import { network } from "./places.ts";
import type { Sandbox } from "./sandbox.ts";

const etcdUrl = "http://127.0.0.1:2379";
const issuer = "https://kubernetes.default.svc.cluster.local";
/** How everything on the cluster's own network reaches the API server. */
export const apiServer = `https://${network.control}:${network.apiPort}`;

export interface ControlPlane {
  readonly sandbox: Sandbox;
  readonly folders: Folders;
}

/** Starts etcd and the API server; answers when it serves the administrator's requests. */
export async function startApi({ sandbox, folders }: ControlPlane): Promise<readonly Daemon[]> {
  const etcd = startDaemon(sandbox, folders.logs, ["etcd", ...etcdFlags(path.join(folders.dir, "etcd"))]);
  const api = startDaemon(sandbox, folders.logs, ["kube-apiserver", ...(await apiFlags(folders.pki))]);
  await until("API server ready", 60_000, [etcd, api], async () => (await kubectl(folders.kubeconfig, ["get", "--raw", "/readyz"])) === "ok");
  return [etcd, api];
}

/** Starts what needs an API server. */
export async function startControllers({ sandbox, folders }: ControlPlane): Promise<readonly Daemon[]> {
  const { pki } = folders;
  const access = (file: string, name: string): Promise<string> =>
    writeKubeconfig(path.join(pki, `${file}.conf`), { pkiDir: pki, server: apiServer, file, user: { name } });
  const [managerAccess, schedulerAccess] = await Promise.all([
    access("controller-manager", "system:kube-controller-manager"),
    access("scheduler", "system:kube-scheduler"),
  ]);
  const manager = {
    "root-ca-file": `${pki}/ca.crt`,
    "service-account-private-key-file": `${pki}/tokens.key`,
    "cluster-signing-cert-file": `${pki}/ca.crt`,
    "cluster-signing-key-file": `${pki}/ca.key`,
    "use-service-account-credentials": true,
    // It makes an account for each of its controllers before they start; with the usual limits that takes seconds.
    "kube-api-qps": 500,
    "kube-api-burst": 500,
    // Nodes are made with their pod ranges: routes to them exist before they do.
    "allocate-node-cidrs": false,
  };
  return [
    startDaemon(sandbox, folders.logs, ["kube-controller-manager", ...flags({ ...common(managerAccess), ...manager })]),
    startDaemon(sandbox, folders.logs, ["kube-scheduler", ...flags(common(schedulerAccess))]),
  ];
}

function common(access: string): Flags {
  return { kubeconfig: access, "authentication-kubeconfig": access, "authorization-kubeconfig": access, "leader-elect": false, "bind-address": "127.0.0.1" };
}

function etcdFlags(dir: string): readonly string[] {
  const peer = "http://127.0.0.1:2380";
  return flags({
    "data-dir": dir,
    "listen-client-urls": etcdUrl,
    "advertise-client-urls": etcdUrl,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `default=${peer}`,
    // It lives no longer than the test.
    "unsafe-no-fsync": true,
  });
}

async function apiFlags(pkiDir: string): Promise<readonly string[]> {
  const names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
  const at = [...names.map((name) => `DNS:${name}`), ...["127.0.0.1", network.control, network.apiService].map((address) => `IP:${address}`)];
  const frontProxy = "front-proxy-client";
  const [server, client, proxy] = await Promise.all([
    issue(pkiDir, "api-server", { name: "kube-apiserver", at }),
    issue(pkiDir, "api-server-client", { name: "kube-apiserver-kubelet-client", groups: ["system:masters"] }),
    issue(pkiDir, "api-server-proxy", { name: frontProxy }),
  ]);
  const tokens = makeTokenKeys(pkiDir);
  return flags({
    "etcd-servers": etcdUrl,
    "advertise-address": network.control,
    "secure-port": network.apiPort,
    "tls-cert-file": server.cert,
    "tls-private-key-file": server.key,
    "client-ca-file": `${pkiDir}/ca.crt`,
    "kubelet-client-certificate": client.cert,
    "kubelet-client-key": client.key,
    "kubelet-certificate-authority": `${pkiDir}/ca.crt`,
    "kubelet-preferred-address-types": "InternalIP",
    "service-account-key-file": tokens.publicKey,
    "service-account-signing-key-file": tokens.privateKey,
    "service-account-issuer": issuer,
    "service-cluster-ip-range": network.services,
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "allow-privileged": true,
    // Webhooks and aggregated APIs are called at their pods: no kube-proxy runs beside the API server.
    "enable-aggregator-routing": true,
    "proxy-client-cert-file": proxy.cert,
    "proxy-client-key-file": proxy.key,
    // One authority for everybody is enough when only this name may speak for others.
    "requestheader-client-ca-file": `${pkiDir}/ca.crt`,
    "requestheader-allowed-names": frontProxy,
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
  });
}

type Flags = Readonly<Record<string, string | number | boolean>>;

/** Writes program options. */
export function flags(values: Flags): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}
