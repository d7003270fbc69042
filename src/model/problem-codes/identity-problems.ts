import type { ProblemEntry } from "../problem-codes.ts";

/** What can be wrong with identities and certificate authorities; by code, in alphabetical order. */
export const identityProblems: Readonly<Record<string, ProblemEntry>> = {
  "ca-chain-broken": {
    title: "no way to the root",
    explanation: "The certificates that came with the authority do not lead from the one that signs to a self-signed root.",
    next: "Add the missing certificates to `cert-chain.pem` and the root to `root-cert.pem` (or to `tls.crt` and `ca.crt`).",
  },
  "ca-file-missing": {
    title: "an authority without a file",
    explanation: "The folder or Secret of the certificate authority lacks a file of its layout.",
    next: "Give `ca-cert.pem`, `ca-key.pem`, `cert-chain.pem` and `root-cert.pem`, or `tls.crt`, `tls.key` and `ca.crt`.",
  },
  "ca-key-mismatch": {
    title: "another key",
    explanation: "The private key does not belong to the certificate that should sign.",
    next: "Take certificate and key from the same place, and replace both at once.",
  },
  "ca-key-unsupported": {
    title: "a weak or strange key",
    explanation: "An authority's keys, up to the root, must be ECDSA P-256 or P-384, or RSA from 2048 bits on.",
    next: "Make the authority anew with such a key; ECDSA P-256 is the fastest.",
  },
  "ca-not-authority": {
    title: "a certificate that may not sign",
    explanation: "A certificate on the way to the root is not marked as an authority (CA:TRUE, keyCertSign), or its path length forbids those below it.",
    next: "Issue the certificate again with CA:TRUE, the key usage keyCertSign and a path length that is long enough.",
  },
  "ca-not-valid-now": {
    title: "expired or too early",
    explanation: "A certificate on the way to the root is not valid at this moment.",
    next: "Renew it; when it begins in the future, look at the clocks of both machines.",
  },
  "ca-unreadable": {
    title: "no PEM",
    explanation: "A file of the certificate authority is not PEM, is broken, or its key has a passphrase.",
    next: "Write certificates and the key as PEM, the key without a passphrase.",
  },
  "csr-invalid": {
    title: "an unusable request",
    explanation: "A certificate request is no PKCS #10 or is not signed with its own key.",
    next: "Make a new key and a new request.",
  },
  "csr-key-unsupported": {
    title: "another kind of key",
    explanation: "Workloads and nodes have ECDSA keys on the curve P-256 only.",
    next: "Make an ECDSA key on P-256.",
  },
  "identity-not-here": {
    title: "somebody else's identity",
    explanation: "A node asked for the identity of a workload that does not run on it.",
    next: "When the workload has just started there, wait: the node asks again.",
  },
  "node-token-refused": {
    title: "a node or gateway that is not known",
    explanation:
      "The token with which a node or a gateway says who it is was refused: it is expired, for somebody else, not bound to a node or pod, or its ServiceAccount is no gateway's.",
    next: "Mount a projected ServiceAccount token for the right audience; Kubernetes before 1.30 does not bind it to a node.",
  },
  "rotation-running": {
    title: "a rotation is running",
    explanation: "Another root can replace this one only after the last replacement is complete.",
    next: "Wait until the certificates of the old root have expired, a day at most.",
  },
  "spiffe-id-invalid": {
    title: "no SPIFFE ID",
    explanation: "The text is not an identity as the SPIFFE-ID specification defines it.",
    next: "Write it like `spiffe://example.com/ns/default/sa/web`.",
  },
  "svid-invalid": {
    title: "a certificate that peers refuse",
    explanation: "A workload's certificate has no SPIFFE ID, or does not lead to a trusted root.",
    next: "Restart the workload to get a new one; when that does not help, look at the certificate authority.",
  },
  "svid-not-valid-now": {
    title: "an expired certificate",
    explanation: "A workload's certificate is not valid at this moment.",
    next: "See whether its node reaches the control plane, and look at the clocks of both.",
  },
  "trust-domain-alias-invalid": {
    title: "no alias of a trust domain",
    explanation: "An alias is the name of another trust domain and a file with the roots above its certificates.",
    next: "Write it like `--trust-domain-alias old.example=./roots.pem`, or `--trust-domain-alias none` for no alias any more.",
  },
  "trust-domain-invalid": {
    title: "no trust domain",
    explanation: "The name of a trust domain has other characters than SPIFFE allows.",
    next: "Write 1 to 255 of a-z, 0-9, `.`, `-` and `_`, like `example.com`.",
  },
  "trust-domain-own": {
    title: "the mesh's own trust domain",
    explanation: "An alias names another trust domain: whoever signs for our own one is the certificate authority.",
    next: "Name other trust domains only. For another authority of our own see `weir install --ca-dir`.",
  },
};
