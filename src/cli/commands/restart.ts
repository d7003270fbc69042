import type { JobView, RestartRequest, RunJobsRequest, ServiceView } from "../../api/contract.ts";
import type { Ref } from "../../model/ref.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { printLists } from "../output.ts";
import { jobListing, judgeJobs } from "./jobs.ts";
import { appOrJobRef, commonNamespace } from "./names.ts";
import { judgeServices, printChanged, serviceListing } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const restart: Command = {
  path: ["restart"],
  summary: "replace every replica, new before old, without losing a request; run a job again now",
  args: [{ syntax: "<apps...>", description: "APP, APP@VERSION or JOB" }],
  options: [{ flags: "--wait", description: "return when the old ones are gone, and jobs have ended" }],
  output: true,
  where: "both",
  examples: ["restart web", "restart web@v2 --wait", "restart migrate --wait"],
  run,
};

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const refs = args.map((text) => appOrJobRef(text, namespace));
  const common = commonNamespace(refs);
  const wait = options.flag("wait");
  const client = await connect({ place, namespaces: [common] });
  const known = await client.get<readonly JobView[]>(`/v1/jobs?namespace=${encodeURIComponent(common)}`);
  const isJob = ({ kind, name, version }: Ref): boolean =>
    kind === "job" || (kind === undefined && version === undefined && known.some((job) => job.name === name));
  const [jobs, apps] = [refs.filter(isJob), refs.filter((ref) => !isJob(ref))];
  const appsAsked: RestartRequest = {
    namespace: common,
    targets: apps.map((ref) => ({ app: ref.name, ...(ref.version === undefined ? {} : { version: ref.version }) })),
    wait,
  };
  const jobsAsked: RunJobsRequest = { namespace: common, jobs: jobs.map(({ name }) => name), wait };
  const answers = Promise.all([
    apps.length === 0 ? undefined : client.post<readonly ServiceView[]>("/v1/restart", appsAsked),
    jobs.length === 0 ? undefined : client.post<readonly JobView[]>("/v1/jobs/run", jobsAsked),
  ]);
  const [services, ran] = await (wait ? whileWaiting("waits until every replica is replaced, and every job has ended", answers) : answers);
  if (ran === undefined) return printChanged(services ?? [], { format, waited: wait });
  const now = Date.now();
  await printLists(serviceListing(services ?? [], now), jobListing(ran, now), format);
  return Math.max(judgeServices(services ?? [], wait), judgeJobs(ran, wait));
}
