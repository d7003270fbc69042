declare const brand: unique symbol;
type Brand<Name extends string> = string & { readonly [brand]: Name };

export type Namespace = Brand<"Namespace">;
export type AppName = Brand<"AppName">;
export type VersionName = Brand<"VersionName">;
/** `NAMESPACE/APP`: one app of one namespace. */
export type AppKey = Brand<"AppKey">;
/** `NAMESPACE/APP@VERSION`: one version of one app. */
export type VersionKey = Brand<"VersionKey">;
/** `NAMESPACE/NAME` of a router, external service, config or secret. */
export type ObjectKey = Brand<"ObjectKey">;

/** RFC 1123 label: what DNS and every platform accept as a name. */
const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export const defaultNamespace: Namespace = "default" as Namespace;

/** Says whether `text` is a DNS name in lower case: labels with dots between them, 253 characters at most (RFC 1035, section 2.3.4). */
export function isDomain(text: string): boolean {
  return text.length <= 253 && text.split(".").every(isLabel);
}

/** Says whether `text` is an RFC 1123 label (1–63 of a-z, 0-9 and `-`, no `-` at the ends). */
export function isLabel(text: string): boolean {
  return label.test(text);
}

/** Builds `NAMESPACE/APP`. */
export function appKey(namespace: Namespace, app: AppName): AppKey {
  return `${namespace}/${app}` as AppKey;
}

/** Builds `NAMESPACE/APP@VERSION`. */
export function versionKey(namespace: Namespace, app: AppName, version: VersionName): VersionKey {
  return `${namespace}/${app}@${version}` as VersionKey;
}

/** Builds `NAMESPACE/NAME`. */
export function objectKey(namespace: Namespace, name: string): ObjectKey {
  return `${namespace}/${name}` as ObjectKey;
}
