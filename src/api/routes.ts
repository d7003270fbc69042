/** Everything that the API offers, by path. */
import type { Route } from "./route.ts";
import { adoptRoutes } from "./routes/adopt.ts";
import { identityRoutes } from "./routes/identities.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { logRoutes } from "./routes/logs.ts";
import { objectRoutes } from "./routes/objects.ts";
import { removeRoutes } from "./routes/remove.ts";
import { serviceRoutes } from "./routes/services.ts";
import { stackRoutes } from "./routes/stacks.ts";
import { systemRoutes } from "./routes/system.ts";
import { weightRoutes } from "./routes/weights.ts";

export const allRoutes: readonly Route[] = [
  ...adoptRoutes,
  ...identityRoutes,
  ...jobRoutes,
  ...logRoutes,
  ...objectRoutes,
  ...removeRoutes,
  ...serviceRoutes,
  ...stackRoutes,
  ...systemRoutes,
  ...weightRoutes,
];
