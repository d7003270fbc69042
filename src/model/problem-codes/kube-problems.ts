import type { ProblemEntry } from "../problem-codes.ts";

/** What can be wrong with a Kubernetes cluster and the way to it; by code, in alphabetical order. */
export const kubeProblems: Readonly<Record<string, ProblemEntry>> = {
  "adopt-ambiguous": {
    title: "two of one name",
    explanation: "Objects of several kinds (Deployment, StatefulSet, DaemonSet) have this name, and a version can have the pods of one.",
    next: "Say the kind: `weir adopt statefulset/NAME`.",
  },
  "adopt-headless": {
    title: "a Service without an address",
    explanation:
      "The Service of the app's name is headless, or only another name in DNS. Its callers ask DNS for the pods themselves, so nothing stands between that could share them between versions.",
    next: "Adopt it as an app of another name, and let callers that weights are for use that: `weir adopt statefulset/NAME --as OTHER`. The headless Service stays, for those who need single pods.",
  },
  "adopt-kind": {
    title: "nothing that can be adopted",
    explanation: "A version can have the pods of a Deployment, a StatefulSet or a DaemonSet, and of nothing else.",
    next: "Write the name alone, or with one of these kinds before it: `statefulset/NAME`.",
  },
  "adopt-nothing": {
    title: "nothing to adopt here",
    explanation: "Only a cluster has Deployments, StatefulSets and DaemonSets that a version could adopt.",
    next: "Choose the cluster: `weir context use NAME`.",
  },
  "adopt-own": {
    title: "a version already",
    explanation: "Weir made it for a version that is declared.",
    next: "`weir ps` shows its version; nothing is left to adopt.",
  },
  "adopt-ports": {
    title: "no ports known",
    explanation:
      "Neither the containers nor a Service of the app's name (or the one that a StatefulSet names) say a TCP port, so nobody could call the version.",
    next: "Name the ports in the containers, or put a Service of the app's name in front of it.",
  },
  "adopt-selector": {
    title: "a selector with expressions",
    explanation: "It selects its pods by `matchExpressions`. A Service, by which Weir finds the pods of a version, knows labels only.",
    next: "Declare a version with the image instead: `weir run -n APP@VERSION --image IMAGE`.",
  },
  adopted: {
    title: "not ours to change",
    explanation: "The version has the pods of a Deployment, StatefulSet or DaemonSet that somebody else made. Weir gives it traffic and changes nothing of it.",
    next: "Change it itself, as the hint says; or add a version of your own beside it (`weir run -n APP@VERSION --image IMAGE`).",
  },
  "cluster-behind": {
    title: "written, not yet seen",
    explanation: "The API server accepted the change and has not told of it in time. It is declared; what the command showed or waited for is missing.",
    next: "Look again in a moment with `weir ps`.",
  },
  "deployment-unknown": {
    title: "no such Deployment, StatefulSet or DaemonSet",
    explanation: "The namespace has none of this name, or not of the kind that was said.",
    next: "See which there are: `kubectl get deployments,statefulsets,daemonsets -n NAMESPACE`.",
  },
  "external-local": {
    title: "an external service on localhost",
    explanation: "An external service leads to localhost, which is another machine on every node of a cluster.",
    next: "Name a host that all nodes reach.",
  },
  "kube-context-unknown": {
    title: "no such context",
    explanation: "The kubeconfig has no context of this name, or the context names a cluster that the file does not have.",
    next: "Name one of the contexts that the message lists.",
  },
  "kube-local-traffic": {
    title: "not kept on its node",
    explanation: "A Service has `internalTrafficPolicy: Local`; the mesh sends to all its ready endpoints, on whatever node they are.",
    next: "Leave its callers out of the mesh (label `weir.dev/mesh: off`) where it matters that traffic stays on the node.",
  },
  "kube-mesh-label": {
    title: "neither on nor off",
    explanation: "The label `weir.dev/mesh` of a pod or namespace has a value that means nothing; it is as if it were not there.",
    next: "Set it to `on` or `off`.",
  },
  "kube-mtls-label": {
    title: "neither strict nor permissive",
    explanation: "The label or annotation `weir.dev/mtls` of a pod or namespace has a value that means nothing; it is as if it were not there.",
    next: "Set it to `strict` or `permissive`.",
  },
  "kube-no-ipv4": {
    title: "no IPv4 address",
    explanation: "A pod of the mesh, or every endpoint of a Service, has addresses of another family only. The mesh carries IPv4.",
    next: "Give it IPv4 addresses as well (`ipFamilyPolicy: PreferDualStack`), or leave it out of the mesh.",
  },
  "kube-object-invalid": {
    title: "an object that does not fit",
    explanation:
      "An object of weir.dev, or a ConfigMap or Secret with the label `weir.dev/kind`, is not as Weir understands it: another version of Weir wrote it, or a Secret holds what is no text. It is as if it were not there.",
    next: "Correct the field that the message names; or bring Weir on the cluster (`weir install`) and your own to the same version.",
  },
  "kube-sctp": {
    title: "an SCTP port",
    explanation: "A port of a Service is SCTP, which Envoy does not carry. It works as it does without a mesh.",
    next: "Nothing, if that is what you want.",
  },
  "kube-session-affinity": {
    title: "no session affinity",
    explanation: "A Service has `sessionAffinity: ClientIP`; the mesh balances each request by itself.",
    next: "Keep state where every replica can read it, or leave the callers out of the mesh.",
  },
  "kubeconfig-invalid": {
    title: "not a kubeconfig",
    explanation: "A kubeconfig cannot be read, or says something that is none.",
    next: "Correct the file; `kubectl config view` shows what kubectl understands of it.",
  },
  "kubeconfig-missing": {
    title: "no kubeconfig",
    explanation: "Nothing says how to reach a cluster: no file was named, `KUBECONFIG` names none that exists, and there is no `~/.kube/config`.",
    next: "Name the file, or set `KUBECONFIG`.",
  },
  "namespace-ending": {
    title: "a namespace on its way out",
    explanation: "The namespace is being deleted, so nothing can be declared in it.",
    next: "Wait until it is gone, then repeat the command, which makes it anew.",
  },
  "namespace-missing": {
    title: "no such namespace",
    explanation: "The namespace is not there, and the cluster does not let you make it.",
    next: "Ask somebody who may: `kubectl create namespace NAME`, and a RoleBinding to the ClusterRole `edit` in it for you.",
  },
  "namespace-unseen": {
    title: "a namespace that was not looked at",
    explanation: "Your rights are those of some namespaces, so a command looks at the ones that it was asked about; this change would reach another one.",
    next: "Say that namespace with `-n`, in a command of its own; or ask for the right to list objects of `weir.dev` in all namespaces.",
  },
  "object-foreign": {
    title: "somebody else's ConfigMap or Secret",
    explanation:
      "There is a ConfigMap or Secret by the name of a config or secret, without the label `weir.dev/kind`: Weir has not made it and does not write over it.",
    next: "Choose another name, or hand it over with the `kubectl label` that the hint says.",
  },
  "pod-broken": {
    title: "the connection into a pod broke off",
    explanation: "A command in a pod, or a connection to one of its ports, ended before it was over: the pod ended, or the way to it.",
    next: "`weir ps` shows whether it still runs; run the command again.",
  },
  "pod-unreachable": {
    title: "no way into the pod",
    explanation: "The API server does not connect to the pod: it is gone, or you may not (`pods/exec`, `pods/attach`, `pods/portforward`).",
    next: "See `weir ps`; the ClusterRole `edit` allows it.",
  },
  "undo-incomplete": {
    title: "not everything could be taken back",
    explanation:
      "Of several objects that were to change together one could not be written, and another that was written already could not be brought back to what it was.",
    next: "Repeat the command when the cluster answers again, or mend the named object by hand.",
  },
  "weir-not-installed": {
    title: "Weir is not on the cluster",
    explanation: "The cluster does not know the kinds of `weir.dev`, so nothing there would run what you declare.",
    next: "Somebody with the role `cluster-admin` runs `weir install --wait`.",
  },
};
