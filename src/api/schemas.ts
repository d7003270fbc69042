/** Checks of what clients send. The OpenAPI document is made from these. */

import { z } from "zod";
import { adoptedKinds } from "../model/adopted.ts";
import { isImageName } from "../model/image.ts";
import type {
  AdoptRequest,
  DownRequest,
  PlanRequest,
  PromoteRequest,
  RemoveRequest,
  RestartRequest,
  RollbackRequest,
  RunJobsRequest,
  RunRequest,
  ScaleRequest,
  StackSource,
  StageRequest,
  SystemStopRequest,
  UpRequest,
  WeightRequest,
} from "./contract.ts";

/** Longest file or value that a client may send, in characters; the body as a whole is limited, too. */
const longText = z.string().max(4_000_000);
const name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends");
const ref = z.string().min(1).max(200);
const absolute = z.string().max(4096).startsWith("/", "must be an absolute path");
const day = 86_400_000;
const durationMs = z
  .int()
  .min(0)
  .max(30 * day)
  .describe("milliseconds");
const basisPoints = z.int().min(0).max(10_000).describe("basis points: 10 000 is 100 %");
const scale = z.int().min(0).max(100);
const env = z.record(z.string().regex(/^[^=\0]+$/, "is not a variable's name"), longText);
const command = z.array(z.string().max(200_000)).max(1000);
const image = z.string().refine(isImageName, "must be the name of a container image");

const source: z.ZodType<StackSource> = z.object({
  file: z.string().max(4096),
  text: longText,
  dir: absolute,
  files: z.record(z.string(), longText),
  env: z.record(z.string(), longText),
});
const plan = z.object({ source, stack: name.exactOptional(), namespace: name.exactOptional(), fallbackNamespace: name.exactOptional() });

export const planRequest: z.ZodType<PlanRequest> = plan;
export const upRequest: z.ZodType<UpRequest> = plan.extend({ wait: z.boolean(), timeoutMs: z.int().min(1).max(day) });
export const runRequest: z.ZodType<RunRequest> = z.object({
  namespace: name,
  app: name,
  version: name,
  command,
  image: image.exactOptional(),
  dir: absolute,
  env,
  ports: z.array(z.string().max(100)).max(100),
  public: z.boolean().exactOptional(),
  scale,
  egress: z.boolean(),
  weight: z.number().min(0).max(100).describe("percent").exactOptional(),
  wait: z.boolean(),
});
export const stageRequest: z.ZodType<StageRequest> = z.object({
  namespace: name,
  app: name,
  version: name,
  from: name.exactOptional(),
  env,
  command: command.min(1).exactOptional(),
  image: image.exactOptional(),
  dir: absolute.exactOptional(),
  scale: scale.exactOptional(),
  wait: z.boolean(),
});
export const adoptRequest: z.ZodType<AdoptRequest> = z.object({
  namespace: name,
  kind: z.enum(adoptedKinds).exactOptional(),
  name: ref,
  app: name,
  version: name,
  wait: z.boolean(),
});
export const weightRequest: z.ZodType<WeightRequest> = z.object({
  namespace: name,
  app: name,
  weights: z.record(name, basisPoints),
  durationMs,
  wait: z.boolean(),
});
export const promoteRequest: z.ZodType<PromoteRequest> = z.object({ namespace: name, app: name, version: name, durationMs, wait: z.boolean() });
export const rollbackRequest: z.ZodType<RollbackRequest> = z.object({
  namespace: name,
  app: name,
  revision: z.int().min(1).exactOptional(),
  wait: z.boolean(),
});
export const scaleRequest: z.ZodType<ScaleRequest> = z.object({
  namespace: name,
  targets: z
    .array(z.object({ app: name, version: name.exactOptional(), scale, max: scale.exactOptional() }))
    .min(1)
    .max(1000),
  wait: z.boolean(),
});
export const restartRequest: z.ZodType<RestartRequest> = z.object({
  namespace: name,
  targets: z
    .array(z.object({ app: name, version: name.exactOptional() }))
    .min(1)
    .max(1000),
  wait: z.boolean(),
});
export const runJobsRequest: z.ZodType<RunJobsRequest> = z.object({ namespace: name, jobs: z.array(name).min(1).max(1000), wait: z.boolean() });
export const removeRequest: z.ZodType<RemoveRequest> = z.object({
  namespace: name,
  refs: z.array(ref).min(1).max(1000),
  volumes: z.boolean().exactOptional(),
});
export const downRequest: z.ZodType<DownRequest> = z.object({
  stack: name.exactOptional(),
  namespace: name.exactOptional(),
  all: z.boolean(),
  volumes: z.boolean().exactOptional(),
});
export const systemStopRequest: z.ZodType<SystemStopRequest> = z.object({ purge: z.boolean() });

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const namespaceOrAll = z.union([name, z.literal("*")]);
const number = z.coerce.number().int().min(0);

export const namespaceQuery = z.object({ namespace: namespaceOrAll.default("default") });
export const servicesQuery = namespaceQuery.extend({ watch: flag.default(false) });
export const logsQuery = z.object({
  namespace: name.default("default"),
  ref: z.union([ref, z.array(ref)]).default([]),
  workload: z.string().max(253).describe("only of this replica, or this run of a job").exactOptional(),
  follow: flag.default(false),
  tail: number.exactOptional(),
  since: number.describe("milliseconds since the epoch").exactOptional(),
});
export const execQuery = z.object({ workload: z.string().max(253).exactOptional() });
export const identitiesQuery = namespaceQuery.extend({ ref: ref.exactOptional() });
export const watchQuery = z.object({ from: number.exactOptional() });
export const appPath = z.object({ namespace: name, app: name });
export const refPath = z.object({ namespace: name, ref });
