import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeProc } from "../../../test/support/fake-proc.ts";
import { temporaryFolder } from "../../../test/support/real.ts";
import { findPods, inodeOfLink, podOfCgroup } from "./find-pods.ts";

const uid = "0a1b2c3d-1111-4222-8333-444455556666";
const slices = uid.replaceAll("-", "_");

const forms: readonly (readonly [what: string, text: string, depth: number])[] = [
  ["cgroupfs, version 2", `0::/kubepods/burstable/pod${uid}/6f1e`, 1],
  ["cgroupfs, version 1, several controllers", `12:pids:/kubepods/besteffort/pod${uid}/6f1e\n1:name=systemd:/kubepods/besteffort/pod${uid}/6f1e\n0::/`, 1],
  ["cgroupfs, guaranteed", `0::/kubepods/pod${uid}/6f1e`, 1],
  ["systemd, containerd", `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${slices}.slice/cri-containerd-6f1e.scope`, 1],
  ["systemd, CRI-O", `0::/kubepods.slice/kubepods-pod${slices}.slice/crio-6f1e.scope/container`, 2],
  ["kind", `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort-pod${slices}.slice/cri-containerd-6f1e.scope`, 1],
  ["seen from another cgroup namespace", `0::/../../kubepods/burstable/pod${uid}/6f1e`, 1],
  ["containerd's own form under systemd 1", `4:memory:/system.slice/containerd.service/kubepods-burstable-pod${slices}.slice:cri-containerd:6f1e`, 1],
  ["the pod's own cgroup", `0::/kubepods/burstable/pod${uid}`, 0],
  ["Docker inside a pod", `0::/kubepods/burstable/pod${uid}/6f1e/docker/77`, 3],
];

for (const [what, text, depth] of forms) {
  test(`a pod's cgroup: ${what}`, () => assert.deepEqual(podOfCgroup(`${text}\n`), { uid, depth }));
}

test("a static pod's UID is a hash", () => {
  const hash = "0123456789abcdef0123456789abcdef";
  assert.equal(podOfCgroup(`0::/kubepods/burstable/pod${hash}/1`)?.uid, hash);
});

test("other cgroups are no pods", () => {
  for (const text of ["0::/", "0::/system.slice/podman.service", "0::/user.slice/pod-1234.slice", `0::/kubepods/burstable/podling${uid}/x`, ""])
    assert.equal(podOfCgroup(text), undefined, text);
});

test("a namespace's inode", () => {
  assert.equal(inodeOfLink("net:[4026531840]"), 4_026_531_840);
  assert.equal(inodeOfLink("mnt:[1]"), undefined);
});

test("finds the namespace of a pod, and never the node's own", (t) => {
  const other = "ffffffff-1111-4222-8333-444455556666";
  const proc = fakeProc(temporaryFolder(t), [
    { pid: 20, cgroup: `0::/kubepods/pod${uid}/x`, inode: 7 },
    { pid: 21, cgroup: `0::/kubepods/pod${other}/x`, inode: 1 },
    { pid: 22, cgroup: "0::/kubepods/poddddddddd-1111-4222-8333-444455556666/x", inode: 9 },
  ]);
  const found = findPods(new Set([uid, other, "absent"]), proc);
  assert.deepEqual([...found.byUid], [[uid, { pid: 20, inode: 7 }]]);
  assert.deepEqual([...found.onNodeNetwork], [other]);
});

test("of several namespaces the one highest in the pod counts, and of those the oldest process's", (t) => {
  const proc = fakeProc(temporaryFolder(t), [
    { pid: 30, cgroup: `0::/kubepods/pod${uid}/x/docker/y`, inode: 8, start: 1 },
    { pid: 31, cgroup: `0::/kubepods/pod${uid}/x`, inode: 7, start: 900 },
    { pid: 32, cgroup: `0::/kubepods/pod${uid}/z`, inode: 6, start: 500 },
    // Just starting: still where its parent is.
    { pid: 33, cgroup: `0::/kubepods/pod${uid}/z`, inode: 1, start: 2 },
  ]);
  const found = findPods(new Set([uid]), proc);
  assert.deepEqual(found.byUid.get(uid), { pid: 32, inode: 6 });
  assert.equal(found.onNodeNetwork.size, 0);
});
