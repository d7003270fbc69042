/** Data that outlives workloads of one machine: over restarts, changes and removals, until somebody asks for its end. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { ServiceView } from "../../src/api/contract.ts";
import { eventually, request } from "./support/http.ts";
import { useWeir } from "./support/weir.ts";

const withoutDb = "stack: store\nservices: { other: { command: sleep infinity } }\n";

/** Adds a line to a file in its volume whenever it starts, and answers with all of them. */
const program = `
const { appendFileSync, existsSync, readFileSync, readdirSync } = require("node:fs");
const running = "/no-such-folder/db/running";
const lines = [process.env.WEIR_REPLICA, process.env.WORD ?? "first"];
if (existsSync(running)) lines.push("not alone");
appendFileSync(running, "");
appendFileSync("/no-such-folder/db/starts", lines.join(" ") + "\\n");
appendFileSync("/srv/more", "x");
process.on("SIGTERM", () => { require("node:fs").rmSync(running); process.exit(0); });
require("node:http").createServer((_, response) => response.end(readFileSync("/no-such-folder/db/starts"))).listen(9000);
`;
const stack = (word: string, more = "") => `
stack: store
services:
  db:
    command: [node, -e, ${JSON.stringify(program)}]
    ports: 80:9000/http
    scale: 2
    drain: 1s
    env: { WORD: ${word} }
    volumes: { data: /no-such-folder/db, more: /srv }
${more}`;

test("what replicas write to their volumes is there again, until it is deleted", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const dir = await mkdtemp(path.join(tmpdir(), "weir-store-"));
  t.after(() => rm(dir, { recursive: true }));
  const up = async (text: string, ...words: readonly string[]): Promise<string> => {
    await writeFile(path.join(dir, "weir.yaml"), text);
    return weir.ok("up", dir, "--timeout", "2m", ...words);
  };
  const starts = async (): Promise<readonly string[]> => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => request(weir.port, `db.localhost:${weir.port}`)));
    return [...new Set(answers.map(({ body }) => body.trim()))].sort();
  };
  const folder = path.join(weir.home, "volumes/default");

  await up(stack("one"));
  await eventually(async () => assert.deepEqual(await starts(), ["0 one", "1 one"]), 20_000);
  assert.equal(existsSync("/no-such-folder"), false, "the machine's own folders are as they were");
  assert.deepEqual(readdirSync(path.join(folder, "db@v1/0")).sort(), ["data", "more"]);

  await up(stack("two"));
  await eventually(async () => assert.deepEqual(await starts(), ["0 one\n0 two", "1 one\n1 two"]), 20_000);
  await weir.ok("restart", "db", "--wait");
  await eventually(async () => assert.deepEqual(await starts(), ["0 one\n0 two\n0 two", "1 one\n1 two\n1 two"]), 20_000);

  const second = stack(
    "two",
    "  db@v2: { command: sleep infinity, volumes: { data: /no-such-folder/db }, scale: { max: 3 }, resources: { cpu: 100m } }\n  agent: { command: sleep infinity, scale: per-node }\n",
  );
  const notes = await up(second, "--plan");
  assert.match(notes, /note: db@v2 has volumes of its own: it does not see the data of v1\n/);
  assert.match(notes, /note: db@v2 runs 1, not up to 3: the number follows the load on a cluster only\n/);
  assert.match(notes, /note: agent@v1 runs once: this machine is the only node\n/);
  assert.match(await up(withoutDb, "--plan"), /note: the volumes of db@v1 stay when it goes; `weir rm --volumes db@v1` deletes them/);
  await up(withoutDb);
  await eventually(async () => assert.doesNotMatch(await weir.ok("ps"), /db@v1/));
  await up(stack("three"));
  await eventually(async () => assert.deepEqual(await starts(), ["0 one\n0 two\n0 two\n0 three", "1 one\n1 two\n1 two\n1 three"]), 20_000);

  await writeFile(path.join(dir, "weir.yaml"), stack("three").replace("more: /srv", "more: {path: /srv, size: 5Gi}"));
  const other = await weir.run("up", dir);
  assert.match(other.stderr, /error\[volumes-fixed\]: the volumes of db@v1 are data 1Gi ,more 1Gi /);

  const kept = await weir.ok("rm", "db");
  assert.match(kept, new RegExp(`^removed db@v1\nkept volume ${folder}/db@v1/0/data\n`));
  await eventually(async () => assert.deepEqual(await weir.json<readonly ServiceView[]>("ps"), []));
  assert.match(await weir.ok("rm", "--volumes", "db@v1"), new RegExp(`^deleted volume ${folder}/db@v1/0/data\n`));
  assert.equal(existsSync(path.join(folder, "db@v1")), false);
  assert.equal((await weir.run("rm", "--volumes", "db@v1")).code === 0, false, "nothing of that name is left");

  await up(stack("four"));
  await eventually(async () => assert.deepEqual(await starts(), ["0 four", "1 four"]), 20_000);
  assert.match(await weir.ok("down", dir, "--volumes"), new RegExp(`^removed db@v1\ndeleted volume ${folder}/db@v1/0/data\n`));
  assert.deepEqual(readdirSync(folder), []);
});
