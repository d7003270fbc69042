/** Names that callers use must mean one thing. */
import { failed, ok, type Result } from "../lib/problem.ts";
import type { DeclaredSnapshot } from "../model/declared.ts";
import type { Service } from "../model/types.ts";

/** Refuses a service whose name (`web`) or version's name (`web-v2`) already means something else in its namespace. Problem: `name-taken`. */
export function checkNames(snapshot: DeclaredSnapshot, service: Service): Result<null> {
  const { namespace, app, version } = service;
  const { objects } = snapshot;
  const owners = new Map<string, string>();
  for (const { value } of objects.job.values()) owners.set(`${value.job.namespace}/${value.job.name}`, `the job ${value.job.name}`);
  for (const { value } of objects.router.values()) owners.set(`${value.namespace}/${value.name}`, `the router ${value.name}`);
  for (const { value } of objects.external.values()) owners.set(`${value.namespace}/${value.name}`, `the external service ${value.name}`);
  for (const { value } of objects.service.values()) {
    const other = value.service;
    if (other.app !== app) owners.set(`${other.namespace}/${other.app}`, `the app ${other.app}`);
    if (other.app !== app) owners.set(`${other.namespace}/${other.app}-${other.version}`, `version ${other.version} of ${other.app}`);
  }
  const problems = [app, `${app}-${version}`].flatMap((name) => {
    const owner = owners.get(`${namespace}/${name}`);
    return owner === undefined
      ? []
      : [{ code: "name-taken", message: `${app}@${version} needs the name ${name}, which is ${owner}`, hint: "choose another name or version" }];
  });
  return problems.length > 0 ? failed(...problems) : ok(null);
}
