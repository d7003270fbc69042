/** How the API server is told to ask the control plane about objects of weir.dev, and about nothing else. */
import { clusterKinds, weirGroup, weirVersion } from "../model/declared-kinds.ts";
import { controlName, type InstallObject, labelsOf, systemNamespace } from "./objects.ts";

export const validationName = "weir-validate";
/** Secret with the control plane's certificate for it. */
export const webhookSecret = "weir-webhook";
/** As refusals call it. */
export const webhookName = "validate.weir.dev";

/** Without an answer in time objects are kept all the same: whatever is wrong with them then stands in their status. */
export function validationObject(): InstallObject {
  const { service, app, job, router, external } = clusterKinds;
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: validationName, labels: labelsOf(controlName) },
    webhooks: [
      {
        name: webhookName,
        admissionReviewVersions: ["v1"],
        // Whom to trust the control plane says itself, for it changes with the authority's roots.
        clientConfig: { service: { namespace: systemNamespace, name: controlName, port: 443, path: "/validate" } },
        failurePolicy: "Ignore",
        matchPolicy: "Equivalent",
        sideEffects: "None",
        timeoutSeconds: 3,
        rules: [
          {
            apiGroups: [weirGroup],
            apiVersions: [weirVersion],
            operations: ["CREATE", "UPDATE"],
            resources: [service, app, job, router, external].map(({ resource }) => resource),
            scope: "Namespaced",
          },
        ],
      },
    ],
  };
}
