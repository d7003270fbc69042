import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf, stackOf } from "../../../test/support/parse.ts";

/** One service with more keys. */
function service(keys: string): string {
  return `services:\n  web: {command: x, ${keys}}`;
}

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  [
    "services:\n  Web App: {command: x}",
    ['2:3 name-invalid: "Web App" is not a name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "web-app")'],
  ],
  ["services: {web@V2: {command: x}}", ['1:12 name-invalid: "V2" is not a version (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "v2")']],
  ["services: {router/web: {command: x}}", ['1:12 name-invalid: "router/web" is not a name (write web here)']],
  ["services: {'a:web': {command: x, namespace: b}}", ["1:45 name-conflict: the key says namespace a, this says b (say it in one place)"]],
  [
    "services: {web@v2: {command: x, version: v3, app: shop}}",
    [
      "1:42 name-conflict: the key says version v2, this says v3 (say it in one place)",
      "1:51 name-conflict: the key says app web, this says shop (say it in one place)",
    ],
  ],
  ["services: {'': {command: x}}", ['1:12 name-invalid: "" is not a name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends)']],
  [service("command: y"), ['2:21 duplicate-key: the key "command" is here twice (the first is on line 2)']],
  ["services: {web: {}}", ['1:12 missing-key: a service needs "command" (what to start: one line, or a list)']],
  ["services: {web: {command: ''}}", ["1:27 command-invalid: the command names no program"]],
  ["services: {web: {command: []}}", ["1:27 command-invalid: the command names no program"]],
  ["services: {web: {command: [[a]]}}", ["1:28 wrong-type: expected text here, found a list (write text)"]],
  [
    "services: {web: {command: 'a | b'}}",
    [
      '1:27 command-needs-shell: "|" at character 3 of the command needs a shell, and none is started (put it in single quotes to mean it literally, or write [sh, -c, "a | b"])',
    ],
  ],
  ["services: {web: {command: 'a \"b'}}", ['1:27 command-invalid: the " at character 3 of the command is never closed (close it, or write a list)']],
  ["services: {web: {command: A=1 b}}", ['1:27 command-needs-shell: "A=1" is no program (set variables under env)']],
  [
    "services: {web: {comand: x}}",
    [
      '1:12 missing-key: a service needs "command" (what to start: one line, or a list)',
      '1:18 unknown-key: a service has no "comand" (did you mean "command"?)',
    ],
  ],
  ["services: {web: {image: 'We b'}}", ['1:25 image-invalid: "We b" is no image (write it like registry.example.com/web:1.0, in lower case but for the tag)']],
  ["services: {web: {image: x, args: [a]}}", ['1:34 missing-key: a service with "args" needs "command" (write the program under command)']],
  [
    "services: {web: {replicas: 3, environment: {}}}",
    [
      '1:12 missing-key: a service needs "command" (what to start: one line, or a list)',
      '1:18 unknown-key: a service has no "replicas" (did you mean "scale"?)',
      '1:31 unknown-key: a service has no "environment" (did you mean "env"?)',
    ],
  ],
  [service("ports: eighty"), ['2:28 port-invalid: "eighty" is not a port (write PORT[:CONTAINERPORT][/http|http2|grpc|tcp], like 80:8080/http)']],
  [service("ports: [80, 80:9000]"), ["2:33 duplicate-port: port 80 is here twice (the first is 80/http)"]],
  [service("ports: 70000"), ["2:28 port-invalid: there is no port 70000 (ports are 1 to 65535)"]],
  [service("ports: 80/htp"), ['2:28 protocol-unknown: "htp" is not a protocol (did you mean "http"?)']],
  [service("ports: {port: 80, protocol: udp}"), ['2:49 value-unknown: "udp" is not a protocol (one of http, http2, grpc, tcp)']],
  [service("ports: {containerPort: 80}"), ['2:21 missing-key: a port needs "port" (what callers use)']],
  [service("ports: 80, health: healthz"), ['2:40 path-invalid: "healthz" is not a path (paths start with / and have no ?, # or spaces)']],
  [
    service("ports: 80/tcp, health: /healthz"),
    ["2:44 check-port: this check needs a port: the service has no http port (add port: 8080 to the check, or an http port to the service)"],
  ],
  [service("health: {ready: {http: /a, tcp: 80}}"), ["2:53 check-kind: a health check says both http and tcp (say one of http, tcp, grpc or exec)"]],
  [service("health: {ready: {}}"), ["2:37 check-kind: a health check says nothing to check (say one of http, tcp, grpc or exec)"]],
  [service("health: {ready: {tcp: 80, headers: {a: b}}}"), ["2:56 check-kind: headers belongs to http checks (this is a check by tcp)"]],
  [service("health: {redy: {tcp: 80}}"), ['2:30 unknown-key: health has no "redy" (did you mean "ready"?)']],
  [service("health: {live: {exec: []}}"), ["2:43 command-invalid: the command is empty"]],
  [
    service("health: {live: {tcp: 80, interval: 10ms, timeout: 10, failures: 0}}"),
    [
      "2:56 duration-invalid: 10ms is too short (from 100ms to 1d)",
      '2:71 duration-invalid: "10" is not a duration (write a duration like 250ms, 10s, 5m or 1h30m: 10s?)',
      '2:85 number-invalid: "0" is not a number of failures (a whole number from 1 to 1000)',
    ],
  ],
  [service("health: {live: {http: /, port: 80, headers: {'a b': c}}}"), ['2:66 header-invalid: "a b" is not a header\'s name (use letters, digits and -)']],
  [service("scale: 101"), ['2:28 number-invalid: "101" is not a number of replicas (a whole number from 0 to 100)']],
  [service("scale: -1"), ['2:28 number-invalid: "-1" is not a number of replicas (a whole number from 0 to 100)']],
  [service("scale: two"), ['2:28 number-invalid: "two" is not a number of replicas (a whole number from 0 to 100)']],
  [service("scale: 1.5"), ['2:28 number-invalid: "1.5" is not a number of replicas (a whole number from 0 to 100)']],
  [service("public: yes"), ['2:29 not-boolean: "yes" is neither true nor false (write true without quotes)']],
  [service("egress: 'true'"), ['2:29 not-boolean: "true" is neither true nor false (write true without quotes)']],
  [service("weight: 110"), ['2:29 weight-invalid: "110" is not a weight (a percentage from 0 to 100 with at most two decimals: 10, 12.5 or 10%)']],
  [service("weight: 10.125"), ['2:29 weight-invalid: "10.125" is not a weight (a percentage from 0 to 100 with at most two decimals: 10, 12.5 or 10%)']],
  [service("weight: 90"), ["2:29 weights-sum: the weights of app web sum to 90% (make them sum to 100)"]],
  [service("drain: 10"), ['2:28 duration-invalid: "10" is not a duration (write a duration like 250ms, 10s, 5m or 1h30m: 10s?)']],
  [service("drain: 25h"), ["2:28 duration-invalid: 25h is too long (from 0s to 1d)"]],
  [service("stopSignal: SIGTRM"), ['2:33 value-unknown: "SIGTRM" is not a stop signal (did you mean "SIGTERM"?)']],
  [service("stopSignal: 9"), ['2:33 value-unknown: "9" is not a stop signal (one of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGKILL)']],
  [service("env: [A]"), ['2:27 env-invalid: "A" sets nothing (write NAME=value)']],
  [service("env: [A=1, A=2]"), ['2:32 duplicate-key: "A" is set twice']],
  [service("env: {'1A': x}"), ['2:27 env-invalid: "1A" is not a variable\'s name (use letters, digits and _)']],
  [
    service("env: {A: {secret: db}}"),
    [
      '2:30 missing-key: a value from a config or secret needs "key" (add key: NAME)',
      '2:39 secret-unknown: there is no secret "db" in namespace default (declare it under secrets)',
    ],
  ],
  [
    service("env: {A: {key: x}}"),
    ["2:30 data-ref-invalid: this names neither a config nor a secret (write {config: NAME, key: KEY} or {secret: NAME, key: KEY})"],
  ],
  [
    service("env: {A: {config: a, secret: b, key: c}}"),
    ["2:50 data-ref-invalid: this names both a config and a secret (write {config: NAME, key: KEY} or {secret: NAME, key: KEY})"],
  ],
  [service("env: {A: {config: site, key: x}}"), ['2:39 config-unknown: there is no config "site" in namespace default (declare it under configs)']],
  [service("env: {A: [1]}"), ["2:30 wrong-type: expected a value here, found a list (write text, {config: NAME, key: KEY} or {secret: NAME, key: KEY})"]],
  [service("env: {A: }"), ["2:27 value-missing: expected a value here, found nothing (write text, {config: NAME, key: KEY} or {secret: NAME, key: KEY})"]],
  [service('env: {A: "a\\0b"}'), ["2:30 text-invalid: a NUL character can't be used here"]],
  [service("dir: ''"), ['2:26 text-invalid: "" can\'t be used here']],
  [service("scale: per-nod"), ['2:28 number-invalid: "per-nod" is not a number of replicas (a whole number from 0 to 100)']],
  [service("scale: [1]"), ["2:28 wrong-type: expected a scale here, found a list (write 3, per-node or {min: 1, max: 5, cpu: 70})"]],
  [service("scale: {min: 1}, resources: {cpu: 1}"), ['2:21 missing-key: a scale needs "max" (never more)']],
  [service("scale: {min: 3, max: 2}, resources: {cpu: 1}"), ["2:42 scale-range: at most 2 replicas are fewer than at least 3 (max is min or more)"]],
  [
    service("scale: {max: 2}, resources: {memory: 1Gi}"),
    [
      "2:28 autoscale-needs-cpu: the number of replicas can only follow their use of the processor when it is known what each should have (add resources: {cpu: 250m})",
    ],
  ],
  [
    service("resources: {cpu: half, memory: 128 MB}"),
    [
      '2:38 quantity-invalid: "half" is not an amount of processor (write it as Kubernetes does, like 250m)',
      '2:52 quantity-invalid: "128 MB" is not an amount of memory (write it as Kubernetes does, like 128Mi; 128Mi?)',
    ],
  ],
  [service("volumes: [data:/db]"), ["2:30 wrong-type: expected the volumes here, found a list (write name: value)"]],
  [service("volumes: {data: db}"), ['2:37 path-invalid: "db" is not an absolute path (write the whole path from /)']],
  [service("volumes: {data: /}"), ["2:37 path-invalid: a volume cannot take the place of everything (give it a folder of its own, like /var/lib/db)"]],
  [service("volumes: {data: {size: 1Gi}}"), ['2:31 missing-key: a volume needs "path" (where it appears in the workload)']],
  [service("volumes: {data: {path: /db, size: 0}}"), ['2:55 quantity-invalid: "0" is not a size (write it as Kubernetes does, like 1Gi)']],
  [service("volumes: {a: /db, b: /db/}"), ['2:42 duplicate-mount: something is mounted at "/db" already']],
  [service("volumes: {mount-0: /db}"), ['2:31 name-invalid: "mount-0" is what a cluster calls something else (choose another name)']],
  [
    service("volumes: {A b: /db}"),
    [`2:31 name-invalid: "A b" is not a volume's name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "a-b")`],
  ],
  [
    service("scale: per-node, volumes: {a: /db}"),
    ["2:28 volumes-per-node: one on every node and volumes of its own do not go together (say how many replicas there are, or leave the volumes out)"],
  ],
  [
    `services: {${"a".repeat(50)}@v1: {command: x, volumes: {a: /db}}}`,
    [`1:12 name-invalid: "${"a".repeat(50)}-v1" is too long for a version with volumes (make it 1 characters shorter)`],
  ],
  [service("mounts: [{config: site}]"), ['2:30 missing-key: a mount needs "path" (where it appears in the workload: a file for one key, else a folder)']],
  [service("mounts: [{config: a, path: etc}]"), ['2:48 path-invalid: "etc" is not an absolute path (write the whole path from /)']],
  [service("mounts: {config: a, path: /etc}"), ["2:29 wrong-type: expected mounts here, found a map (write [a, b])"]],
  [
    "services:\n  web: {command: x, mounts: [{config: a, path: /etc}, {config: a, path: /etc/}]}\nconfigs: {a: {b: c}}",
    ['2:73 duplicate-mount: something is mounted at "/etc" already'],
  ],
  [
    "services:\n  web: {command: x, env: {A: {config: a, key: d}, B: {config: b, key: b}}}\nconfigs: {a: {b: c}}",
    ['2:47 key-unknown: config a has no key "d" (did you mean "b"?)', '2:63 config-unknown: there is no config "b" in namespace default (did you mean "a"?)'],
  ],
];

test("every mistake in a service is found at its place", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});

test("one machine needs a command, a cluster an image, at the place of the service", () => {
  const file = "services:\n  both: {command: x, image: a.b:5000/c/d:V1}\n  command: {command: x}\n  image: {image: x@sha256:" + "0".repeat(64) + "}";
  assert.deepEqual(mistakesOf(file), []);
  assert.deepEqual(mistakesOf(file, {}, { runs: "commands" }), [
    '4:3 missing-key: a service needs "command" (one machine starts a command: one line, or a list)',
  ]);
  assert.deepEqual(mistakesOf(file, {}, { runs: "images" }), [
    '3:3 missing-key: a service needs "image" on a cluster (add image: NAME[:TAG]; a cluster runs containers)',
  ]);
  const { services } = stackOf(file);
  assert.deepEqual(
    services.map(({ app, command, image }) => [app, command, image]),
    [
      ["both", ["x"], "a.b:5000/c/d:V1"],
      ["command", ["x"], undefined],
      ["image", [], `x@sha256:${"0".repeat(64)}`],
    ],
  );
});

test("how many there are, what each gets, and what stays", () => {
  const one = (keys: string) => {
    const { scale, autoscale, perNode, resources, volumes } = stackOf(service(keys)).services[0] ?? assert.fail();
    return { scale, autoscale, perNode, resources, volumes };
  };
  const nothing = { scale: 1, autoscale: undefined, perNode: undefined, resources: undefined, volumes: undefined };
  assert.deepEqual(one("scale: per-node"), { ...nothing, perNode: true });
  assert.deepEqual(one("scale: {max: 4}, resources: {cpu: 0.5}"), { ...nothing, autoscale: { max: 4, cpu: 80 }, resources: { cpu: "0.5" } });
  assert.deepEqual(one("scale: {min: 2, max: 4, cpu: 50}, resources: {cpu: 1, memory: 1Gi}"), {
    ...nothing,
    scale: 2,
    autoscale: { max: 4, cpu: 50 },
    resources: { cpu: "1", memory: "1Gi" },
  });
  assert.deepEqual(one("volumes: {data: /db, more: {path: /more/, size: 5Gi, class: fast}}").volumes, [
    { name: "data", path: "/db", size: "1Gi" },
    { name: "more", path: "/more", size: "5Gi", class: "fast" },
  ]);
});
