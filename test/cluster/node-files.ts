/** What a node's file system and its daemons' configurations are. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { quote } from "../../src/dataplane/shell.ts";
import { binDir, network, nodeAddress, podRange, toolsDir } from "./places.ts";

/** Where a node sees its folder `dir`, and what build.ts and scripts/setup.mjs made. */
export const onNode = { dir: "/run/node", bin: "/run/cluster/bin", tools: "/run/cluster/tools" } as const;

/** PATH of a node's daemons. */
export const nodeSearchPath = `${onNode.bin}:${onNode.tools}/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** The kubelet sets these for the whole machine. On a node it finds files of its own in their place. */
const machineSettings = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
];

/**
 * Script that makes a node's file system from the machine's: what the node writes to /etc, /opt, /run and /var stays its own.
 * `dir` is the node's folder outside.
 */
export function fileSystemScript(name: string, dir: string): string {
  const folders = `${onNode.dir} ${onNode.bin} ${onNode.tools} /run/netns /run/lock /run/settings`;
  return `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p ${folders}
mount --bind ${quote(dir)} ${onNode.dir}
mount --bind ${quote(binDir)} ${onNode.bin}
mount --bind ${quote(toolsDir)} ${onNode.tools}
for folder in etc opt var; do
  mkdir -p /run/own/$folder/upper /run/own/$folder/work
  mount -t overlay -o lowerdir=/$folder,upperdir=/run/own/$folder/upper,workdir=/run/own/$folder/work overlay /$folder
done
mkdir -p /var/lib/kubelet /var/lib/containerd /var/log/pods /etc/cni/net.d /opt/cni/bin
mount --bind ${onNode.dir}/kubelet /var/lib/kubelet
mount --bind ${onNode.dir}/containerd /var/lib/containerd
cp ${onNode.bin}/cni/* /opt/cni/bin
cp ${onNode.dir}/pods.conflist /etc/cni/net.d/10-pods.conflist
rm -f /etc/resolv.conf
echo 'nameserver 127.0.0.1' > /etc/resolv.conf
printf '127.0.0.1 localhost\\n127.0.1.1 ${name}\\n' > /etc/hosts
for setting in ${machineSettings.join(" ")}; do
  own=/run/settings/$(basename $setting)
  cat /proc/sys/$setting > $own
  mount --bind $own /proc/sys/$setting
done
mount --make-rshared /
`;
}

/** Writes the configurations of node `number` to its folder. */
export function writeNodeFiles(dir: string, number: number): void {
  for (const folder of ["kubelet", "containerd"]) mkdirSync(path.join(dir, folder), { recursive: true });
  writeFileSync(path.join(dir, "pods.conflist"), JSON.stringify(podNetwork(number)));
  writeFileSync(path.join(dir, "containerd.toml"), containerdConfig);
  writeFileSync(path.join(dir, "kubelet.yaml"), JSON.stringify(kubeletConfig));
  writeFileSync(path.join(dir, "proxy.yaml"), JSON.stringify(proxyConfig(number)));
}

function podNetwork(number: number): object {
  const ipam = { type: "host-local", ranges: [[{ subnet: podRange(number) }]], routes: [{ dst: "0.0.0.0/0" }] };
  const plugins = [
    { type: "ptp", ipMasq: false, ipam },
    { type: "portmap", capabilities: { portMappings: true }, backend: "nftables" },
  ];
  return { cniVersion: "1.0.0", name: "pods", plugins };
}

const containerdConfig = `version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "docker.io/weir-test/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  # Not even root may lower it inside a container.
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = "${onNode.bin}/runc"
`;

const kubeletConfig = {
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: `${onNode.dir}/ca.crt` } },
  authorization: { mode: "Webhook" },
  tlsCertFile: `${onNode.dir}/kubelet.crt`,
  tlsPrivateKeyFile: `${onNode.dir}/kubelet.key`,
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  volumePluginDir: "/var/lib/kubelet/volume-plugins",
  clusterDNS: [network.dnsService],
  clusterDomain: "cluster.local",
  cgroupDriver: "cgroupfs",
  failCgroupV1: false,
  failSwapOn: false,
  enforceNodeAllocatable: [],
  // How full the machine's disk is, is not the test's business.
  evictionHard: { "memory.available": "100Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%" },
  imageGCHighThresholdPercent: 100,
  // A changed Secret is in its pods at the next look.
  syncFrequency: "10s",
};

function proxyConfig(number: number): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clusterCIDR: network.pods,
    bindAddress: nodeAddress(number),
    clientConnection: { kubeconfig: `${onNode.dir}/proxy.conf` },
    // Limits of the whole machine: left as they are.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}
