/** What only the whole file shows: names that collide, weights that do not add up. */
import type { KnownNames } from "../known-names.ts";
import { type AppKey, appKey } from "../names.ts";
import type { ExternalService } from "../types.ts";
import { formatPercent, fullWeight } from "../weights.ts";
import type { ReadJob } from "./job.ts";
import type { Report } from "./report.ts";
import type { ReadRouter } from "./router.ts";
import type { ReadService } from "./service.ts";

export interface Named {
  readonly services: readonly ReadService[];
  readonly jobs: readonly ReadJob[];
  readonly routers: readonly ReadRouter[];
  readonly externals: readonly { readonly external: ExternalService; readonly at: number }[];
}

interface Owner {
  /** "the app web" */
  readonly what: string;
  /** Undefined: not of this file. */
  readonly at?: number;
  /** Names with the same token share: all versions of an app have the app's name. */
  readonly token: string;
}

/**
 * Every name that clients can call belongs to one thing: an app, a version (`web-v2`), a router or an external service. Nobody calls a job, but its name is
 * who it is, as an app's is, and commands name it as they name apps.
 */
export function checkNames({ services, jobs, routers, externals }: Named, known: KnownNames, report: Report): void {
  const owners = new Map<string, Owner>();
  const claim = (name: string, owner: Owner & { readonly at: number }): void => {
    const first = owners.get(name);
    if (first === undefined) owners.set(name, owner);
    else if (first.token !== owner.token)
      report.add(
        owner.at,
        "name-clash",
        // A job's name is who it is, but nobody calls it.
        [owner, first].some(({ token }) => token.startsWith("job ") || token === "known job")
          ? `${owner.what} has the same name as ${first.what}`
          : `${owner.what} would answer to the name ${name.slice(name.indexOf("/") + 1)}, and so does ${first.what}`,
        placeHint(first, report),
      );
  };
  for (const owner of knownOwners(known)) owners.set(owner.name, owner);
  const seen = new Map<string, number>();
  for (const { service, at } of services) {
    const { namespace, app, version } = service;
    const key = `${namespace}/${app}@${version}`;
    const first = seen.get(key);
    if (first !== undefined)
      report.add(at, "duplicate-version", `${app}@${version} is here twice`, `the first is on line ${report.place(first).line}: give this one another version`);
    else seen.set(key, at);
    claim(`${namespace}/${app}`, { what: `the app ${app}`, at, token: `app ${app}` });
    claim(`${namespace}/${app}-${version}`, { what: `version ${app}@${version}`, at, token: `version ${key}` });
  }
  for (const { job, at } of jobs) claim(`${job.namespace}/${job.name}`, { what: `the job ${job.name}`, at, token: `job ${at}` });
  for (const { router, at } of routers) claim(`${router.namespace}/${router.name}`, { what: `the router ${router.name}`, at, token: `router ${at}` });
  for (const { external, at } of externals)
    claim(`${external.namespace}/${external.name}`, { what: `the external service ${external.name}`, at, token: `external ${at}` });
}

function placeHint(first: Owner, report: Report): string {
  return first.at === undefined ? "it exists already, outside this file: rename one of them" : `see line ${report.place(first.at).line}: rename one of them`;
}

function knownOwners(known: KnownNames): readonly (Owner & { readonly name: string })[] {
  return [
    ...known.services.flatMap(({ namespace, app, version }) => [
      { name: `${namespace}/${app}`, what: `the app ${app}`, token: `app ${app}` },
      { name: `${namespace}/${app}-${version}`, what: `version ${app}@${version}`, token: `version ${namespace}/${app}@${version}` },
    ]),
    ...known.jobs.map(({ namespace, name }) => ({ name: `${namespace}/${name}`, what: `the job ${name}`, token: "known job" })),
    ...known.routers.map(({ namespace, name }) => ({ name: `${namespace}/${name}`, what: `the router ${name}`, token: "known router" })),
    ...known.externals.map(({ namespace, name }) => ({ name: `${namespace}/${name}`, what: `the external service ${name}`, token: "known external" })),
  ];
}

/** One host name leads to one router. */
export function checkHosts(routers: readonly ReadRouter[], report: Report): void {
  const owners = new Map<string, string>();
  for (const { router, hosts } of routers) {
    for (const { value, at } of hosts) {
      const first = owners.get(value);
      if (first === undefined) owners.set(value, router.name);
      else report.add(at, "host-clash", `${value} is here twice`, first === router.name ? "say it once" : `router ${first} has it`);
    }
  }
}

/** Weights of one app: all of 100 % when every version has one, at most 100 % otherwise. */
export function checkWeights(services: readonly ReadService[], known: KnownNames, report: Report): void {
  for (const [key, versions] of Map.groupBy(services, ({ service }) => appKey(service.namespace, service.app))) {
    const weights = versions.flatMap(({ weight }) => (weight === undefined ? [] : [weight]));
    const last = weights.at(-1);
    if (last === undefined) continue;
    const sum = weights.reduce((total, { value }) => total + value.weight, 0);
    const complete = weights.length === versions.length && !hasOtherVersions(known, key, versions);
    if (sum > fullWeight || (complete && sum !== fullWeight)) {
      report.add(
        last.at,
        "weights-sum",
        `the weights of app ${last.value.app} sum to ${formatPercent(sum)}`,
        complete ? "make them sum to 100" : "make them sum to at most 100",
      );
    }
  }
}

function hasOtherVersions(known: KnownNames, key: AppKey, versions: readonly ReadService[]): boolean {
  const own = new Set(versions.map(({ service }) => service.version));
  return known.services.some((service) => appKey(service.namespace, service.app) === key && !own.has(service.version));
}
