/** Writes kubeconfig files. JSON is YAML. */
import { readFileSync, writeFileSync } from "node:fs";
import { issue, type Subject } from "./pki.ts";

interface Access {
  readonly pkiDir: string;
  readonly server: string;
  /** Names the certificate's files, too. */
  readonly file: string;
  readonly user: Subject;
}

/** Writes a kubeconfig, complete in itself, with which `user` reaches the API server at `server`; answers its path. */
export async function writeKubeconfig(kubeconfig: string, { pkiDir, server, file, user }: Access): Promise<string> {
  const { cert, key } = await issue(pkiDir, file, user);
  const base64 = (path: string): string => readFileSync(path).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "weir-test", cluster: { server, "certificate-authority-data": base64(`${pkiDir}/ca.crt`) } }],
    users: [{ name: user.name, user: { "client-certificate-data": base64(cert), "client-key-data": base64(key) } }],
    contexts: [{ name: "weir-test", context: { cluster: "weir-test", user: user.name } }],
    "current-context": "weir-test",
  };
  writeFileSync(kubeconfig, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return kubeconfig;
}
