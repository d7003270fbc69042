import type { ProblemEntry } from "../problem-codes.ts";

/** What can be wrong in weir.yaml (some of it on a command line, too); by code, in alphabetical order. */
export const fileProblems: Readonly<Record<string, ProblemEntry>> = {
  "address-invalid": {
    title: "not an address",
    explanation: "The address of an external service is not HOST:PORT, is said twice, or is missing.",
    next: "Write `HOST:PORT`, like `localhost:5432`, `pay.example.com:443` or `[::1]:5432`, without a scheme.",
  },
  "autoscale-needs-cpu": {
    title: "autoscaling without a share to measure by",
    explanation: "`scale: {min, max, cpu}` adds replicas when they use more than that percentage of `resources.cpu`, and the service does not say that.",
    next: "Add `resources: {cpu: 250m}`: what one replica needs in ordinary times.",
  },
  "check-kind": {
    title: "a health check of no kind or two",
    explanation: "A health check does exactly one thing: `http`, `tcp`, `grpc` or `exec`. `port` and `headers` belong to `http`, `service` to `grpc`.",
    next: "Keep one of the four, and only the keys that belong to it.",
  },
  "check-port": {
    title: "a health check without a port",
    explanation: "An HTTP check asks the first `http` port of the service, and this service has none.",
    next: "Add `port:` to the check, or an `http` port to the service.",
  },
  "command-invalid": {
    title: "not a command",
    explanation: "The command is empty, or a quote in it is never closed.",
    next: "Write the program and its arguments as one line, or as a list.",
  },
  "command-needs-shell": {
    title: "the command needs a shell",
    explanation: "The command has something that only a shell understands (`|`, `&&`, `>`, `$NAME`), but it is started directly.",
    next: 'Put it in single quotes to mean it literally, set variables under `env`, or start a shell: `[sh, -c, "…"]`.',
  },
  "config-unknown": {
    title: "no such config",
    explanation: "A service takes a value from a config that is neither in this file nor declared before.",
    next: "Correct the name, or declare the config under `configs`.",
  },
  "data-ref-invalid": {
    title: "neither a config nor a secret",
    explanation: "A value or mount names no config and no secret, or both.",
    next: "Write `{config: NAME, key: KEY}` or `{secret: NAME, key: KEY}`.",
  },
  "destination-invalid": {
    title: "not a destination",
    explanation: "`to` names nothing that requests can be sent to.",
    next: "Write an app (`web`), a version (`web@v2`), `{external: NAME}`, or a list of them.",
  },
  "destination-not-http": {
    title: "the destination speaks no HTTP",
    explanation: "Routers forward HTTP requests, and this destination has no port for them.",
    next: "Give it a port like `80:8080/http`, or let callers use its own name.",
  },
  "destination-unknown": {
    title: "no such destination",
    explanation: "A router sends requests to a name that is neither in this file nor declared before.",
    next: "Correct the name, name its namespace (`team-a:web`), or declare it.",
  },
  "duplicate-destination": {
    title: "a destination twice",
    explanation: "One rule names the same destination twice.",
    next: "Name it once, with the sum of the weights.",
  },
  "duplicate-key": {
    title: "a key twice",
    explanation: "The same key stands twice in one map, so one of the values would be lost.",
    next: "Remove one of them.",
  },
  "duplicate-mount": {
    title: "two mounts at one path",
    explanation: "Two mounts of a service have the same path.",
    next: "Give each its own path.",
  },
  "duplicate-port": {
    title: "a port twice",
    explanation: "A service or external service has the same port twice.",
    next: "Remove one, or choose another port for callers.",
  },
  "duplicate-version": {
    title: "a version twice",
    explanation: "The file declares the same version of an app twice; an entry without a version is `v1`.",
    next: "Give one of them another version, like `web@v2`.",
  },
  "duration-invalid": {
    title: "not a duration",
    explanation: "The text is not a length of time, or it is too short or too long for what it is for.",
    next: "Write `250ms`, `10s`, `5m` or `1h30m`.",
  },
  "env-invalid": {
    title: "not an environment variable",
    explanation: "The entry is not `NAME=value`, or the name cannot be a variable's.",
    next: "Use letters, digits and `_`, not starting with a digit.",
  },
  "env-missing": {
    title: "environment variable not set",
    explanation: "A config or secret takes its value from an environment variable that whoever runs `weir` does not have.",
    next: "Set it, then run the command again.",
  },
  "file-missing": {
    title: "no such file",
    explanation: "The file that a command or a config or secret names is not there.",
    next: "Correct the path; paths in weir.yaml start at the file's own folder.",
  },
  "header-invalid": {
    title: "not a header",
    explanation: "A header's name or value cannot be sent, or it is the `host` header.",
    next: "Use letters, digits and `-` in names and one line as value; change the host with `rewrite: {host: NAME}`.",
  },
  "host-clash": {
    title: "a host name twice",
    explanation: "One host name leads to one router, and here it is twice.",
    next: "Remove it from one of them.",
  },
  "host-invalid": {
    title: "not a host name",
    explanation: "The text is no DNS name.",
    next: "Write the name alone, like `shop.example`; a router also takes `*.shop.example`.",
  },
  "image-invalid": {
    title: "not an image",
    explanation: "The text can be no name of a container image.",
    next: "Write `[HOST[:PORT]/]NAME[:TAG]`, like `registry.example.com/web:1.0`; only a tag may have capital letters.",
  },
  "key-invalid": {
    title: "not a key",
    explanation: "Keys of configs and secrets become file names, and this cannot be one.",
    next: "Use letters, digits, `.`, `-` and `_`.",
  },
  "key-unknown": {
    title: "no such key",
    explanation: "The config or secret exists, but has no such key.",
    next: "Correct the key, or add it to the config or secret.",
  },
  "match-invalid": {
    title: "not a match",
    explanation: "A condition says nothing to match, two things, or that a value must be absent.",
    next: "Say exactly one of `exact`, `prefix`, `regex` and `present: true`.",
  },
  "missing-key": {
    title: "a key is missing",
    explanation: "Something that has no default is not said.",
    next: "Add the key that the message names.",
  },
  "name-clash": {
    title: "two things of one name",
    explanation: "Apps, versions (`web-v2`), routers and external services of a namespace share its names, so that every name means one thing.",
    next: "Rename one of the two.",
  },
  "name-conflict": {
    title: "a name said in two ways",
    explanation: "The key of an entry and a key inside it contradict each other.",
    next: "Say it in one place.",
  },
  "name-invalid": {
    title: "not a name",
    explanation: "Names are DNS labels: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends.",
    next: "Choose a name like that; the hint proposes one.",
  },
  "not-boolean": {
    title: "neither true nor false",
    explanation: "Only `true` and `false` are; in YAML 1.2 `yes`, `on` and quoted words are text.",
    next: "Write `true` or `false` without quotes.",
  },
  "number-invalid": {
    title: "not such a number",
    explanation: "The value is no whole number, or it is outside of what makes sense here.",
    next: "Write a number within the limits that the hint names.",
  },
  "path-invalid": {
    title: "not a path",
    explanation: "A path does not start with `/`, or has what cannot stand in it.",
    next: "Start with `/`; a URL's path has no `?`, `#` or spaces.",
  },
  "port-invalid": {
    title: "not a port",
    explanation: "Ports are `PORT[:CONTAINERPORT][/PROTOCOL]` with numbers from 1 to 65535.",
    next: "Write it like `80:8080/http` or `5432/tcp`.",
  },
  "port-unknown": {
    title: "no such port",
    explanation: "The destination exists, but callers cannot use this port of it.",
    next: "Take one of the ports that the hint names, or declare this one.",
  },
  "problems-more": {
    title: "more problems",
    explanation: "Only the first hundred problems are shown.",
    next: "Mend those first.",
  },
  "protocol-unknown": {
    title: "no such protocol",
    explanation: "A port's protocol is `http`, `http2`, `grpc` or `tcp`.",
    next: "Write one of these.",
  },
  "quantity-invalid": {
    title: "not an amount",
    explanation: "A size or an amount of processor or memory is written as Kubernetes writes quantities, and is more than nothing.",
    next: "Write a number, with one of `m` (thousandths), `k`, `M`, `G`, `T`, or `Ki`, `Mi`, `Gi`, `Ti` (by 1024): `250m`, `128Mi`, `1Gi`.",
  },
  "redirect-invalid": {
    title: "a redirect to the same place",
    explanation: "A redirect must change the scheme, host, port or path.",
    next: "Say one of them.",
  },
  "regex-invalid": {
    title: "not a regular expression",
    explanation: "The text is no expression of RE2, which Envoy uses: it has no look-around and no back-references.",
    next: "Mend what the message names.",
  },
  "rewrite-invalid": {
    title: "not a rewrite",
    explanation: "A rewrite changes nothing, says two ways for the path, or replaces a prefix where a regular expression matched.",
    next: "Say `host`, and one of `path` and `regex`.",
  },
  "router-empty": {
    title: "a router without rules",
    explanation: "A router without rules would answer nothing.",
    next: "Add `rules: [{to: APP}]`.",
  },
  "rule-invalid": {
    title: "not a rule",
    explanation: "A rule says neither `to` nor `redirect`, or something that a redirect cannot have.",
    next: "Say where requests go, or redirect them.",
  },
  "rule-unreachable": {
    title: "a rule that nothing reaches",
    explanation: "The first rule that matches wins, and rules before this one take all of its requests.",
    next: "Put the narrower rule first, or remove this one.",
  },
  "scale-range": {
    title: "a range of replicas that ends before it begins",
    explanation: "`max` of a `scale` is smaller than its `min`.",
    next: "Make `max` at least `min`.",
  },
  "schedule-invalid": {
    title: "not a schedule",
    explanation:
      "A job's `schedule` is not the five fields of cron. Only what Kubernetes and one machine understand in the same way is taken: numbers, words, lists, ranges and steps (`0-59/15`), or `@hourly` and the like; no seconds, no `L`, `W`, `#` or `?`.",
    next: "Write minute, hour, day of the month, month and day of the week, like `*/5 * * * *` or `30 3 * * MON-FRI`.",
  },
  "secret-in-file": {
    title: "a secret in the file",
    explanation: "Files are read by many and kept for long, so that no secret may stand in weir.yaml.",
    next: "Put it into a file of its own and write `{file: PATH}`, or write `{env: NAME}`.",
  },
  "secret-unknown": {
    title: "no such secret",
    explanation: "A service takes a value from a secret that is neither in this file nor declared before.",
    next: "Correct the name, or declare the secret under `secrets`.",
  },
  "source-invalid": {
    title: "no source of a value",
    explanation: "A value of a config or secret says neither `file` nor `env`, or both.",
    next: "Say one of them.",
  },
  "text-invalid": {
    title: "text that cannot be used",
    explanation: "The text is empty, or has a NUL character.",
    next: "Write other text.",
  },
  "time-zone-unknown": {
    title: "no such time zone",
    explanation: "A job's `timeZone` is not a name of the IANA's list.",
    next: "Write it like `Europe/Berlin`; without it schedules are in UTC.",
  },
  "tls-name": {
    title: "no name to check",
    explanation: "TLS checks a server's name, and the address is a number.",
    next: "Write `tls: {serverName: NAME}`.",
  },
  "unknown-key": {
    title: "no such key here",
    explanation: "There is no such key at this place of weir.yaml; nothing is silently ignored.",
    next: "Take the word that the hint names; `weir schema` has all of them.",
  },
  "value-missing": {
    title: "nothing here",
    explanation: "A key stands there without a value.",
    next: "Write the value, or remove the key.",
  },
  "value-unknown": {
    title: "not one of the words",
    explanation: "Only some words are possible here, and this is none of them.",
    next: "Take one that the hint names.",
  },
  "version-unknown": {
    title: "no such version",
    explanation: "The app exists, but not this version of it.",
    next: "Correct the version (`weir services` lists them), or declare it.",
  },
  "volumes-per-node": {
    title: "one on every node, and volumes",
    explanation:
      "`scale: per-node` starts one replica wherever there is a node, and volumes belong to replicas that have a number; a service has one or the other.",
    next: "Say how many replicas there are, or take `volumes` out.",
  },
  "weight-invalid": {
    title: "not a weight",
    explanation: "Weights are percentages from 0 to 100 with at most two decimals.",
    next: "Write it like `10`, `12.5` or `10%`.",
  },
  "weights-sum": {
    title: "weights that do not add up",
    explanation: "The weights of all versions of an app, or of all destinations of a rule, sum to 100.",
    next: "Change one of them, or leave out one version's: it gets the rest.",
  },
  "wrong-type": {
    title: "another kind of value",
    explanation: "A map, a list or a single value stands where another of them belongs.",
    next: "Write it as the hint shows.",
  },
  "yaml-syntax": {
    title: "not YAML",
    explanation: "The file cannot be read as YAML 1.2.",
    next: "Mend the place that the message names; text with `: ` or `#` needs quotes.",
  },
  "yaml-too-big": {
    title: "too much YAML",
    explanation: "The file is larger, deeper or, through aliases, longer than what is read.",
    next: "Split it into several files, or use fewer aliases.",
  },
};
