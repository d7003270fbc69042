/** The certificate authority's objects. Its state and the trust bundle are made once; afterwards they are the control plane's. */
import { aliasesConfigMap, plugInSecret } from "./control.ts";
import { controlName, type InstallObject, inSystem } from "./objects.ts";
import { webhookSecret } from "./validation.ts";

export const stateSecret = "weir-ca";
export const trustConfigMap = "weir-trust";

export interface AuthoritySeed {
  readonly trustDomain: string;
  /** As the identity room writes it; a secret. */
  readonly state: string;
  /** PEM. */
  readonly roots: string;
}

/** What is created when it is missing, and never written over. */
export function seedObjects({ trustDomain, state, roots }: AuthoritySeed): readonly InstallObject[] {
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: inSystem(stateSecret, controlName),
      type: "weir.dev/certificate-authority",
      stringData: { "state.json": state },
    },
    // Empty: the control plane puts its certificate in.
    { apiVersion: "v1", kind: "Secret", metadata: inSystem(webhookSecret, controlName), type: "weir.dev/serving-certificate", data: {} },
    { apiVersion: "v1", kind: "ConfigMap", metadata: inSystem(trustConfigMap, controlName), data: { "roots.pem": roots, "trust-domain": trustDomain } },
  ];
}

/**
 * The files of the authority that the user brings; `data` is in base64, as Kubernetes has it.
 * @param type of the Secret that is there: it cannot change, and cert-manager's has another
 */
export function plugInObject(data: Readonly<Record<string, string>>, type = "Opaque"): InstallObject {
  return { apiVersion: "v1", kind: "Secret", metadata: inSystem(plugInSecret, controlName), type, data };
}

/** The roots of other trust domains that are let in, PEM by name. */
export function aliasesObject(data: Readonly<Record<string, string>>): InstallObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: inSystem(aliasesConfigMap, controlName), data };
}
