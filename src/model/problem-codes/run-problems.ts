import type { ProblemEntry } from "../problem-codes.ts";

/** What can be wrong with a command, the daemon, the data plane or an export; by code, in alphabetical order. */
export const runProblems: Readonly<Record<string, ProblemEntry>> = {
  "all-or-one": {
    title: "all stacks or one",
    explanation: "`--all` takes down everything, and a stack was named as well.",
    next: "Leave one of them out.",
  },
  "api-socket-in-use": {
    title: "another daemon is there",
    explanation: "Somebody else serves the API of this state folder already.",
    next: "Use that daemon, or set `WEIR_HOME` to another folder.",
  },
  "app-unknown": {
    title: "no such app",
    explanation: "There is no app of this name in the namespace.",
    next: "Correct the name or add `-n NAMESPACE`; `weir services` lists them.",
  },
  "apps-differ": {
    title: "several apps",
    explanation: "One command moves the traffic of one app.",
    next: "Run the command once for each app.",
  },
  "attach-without-input": {
    title: "it reads nothing",
    explanation:
      "`weir attach -i` hands on what is typed, and this workload has no stdin: on one machine none has, on a cluster only a container that was made with `stdin: true`.",
    next: "Leave out `-i`, or run a command of your own inside: `weir exec`.",
  },
  "body-too-large": {
    title: "too large a request",
    explanation: "The request to the API is larger than what it reads.",
    next: "Put large contents of configs elsewhere.",
  },
  "check-failed": {
    title: "the checks did not run",
    explanation: "`weir check` could not look at this machine.",
    next: "Read what it printed; a rebuild (`npm run build`) mends a broken installation.",
  },
  "command-missing": {
    title: "no command",
    explanation: "The command line says nothing to start.",
    next: "Write it after `--`, like `weir run -n hello -p 80:9000 -- node hello.js`.",
  },
  conflict: {
    title: "changed meanwhile",
    explanation: "What was to be changed is not any more what it was when it was looked at.",
    next: "Look again, then repeat the command.",
  },
  "cp-archive-hostile": {
    title: "an archive that would write elsewhere",
    explanation: "The tar archive that came out of the workload names a place outside of what was asked for. No honest tar does that, so copying ended there.",
    next: "Do not trust what that workload says; look at it by `weir exec`.",
  },
  "cp-cut-off": {
    title: "the archive broke off",
    explanation: "What came out of the workload ended too early, or is no tar archive.",
    next: "Try again; `weir ps` shows whether the workload still runs.",
  },
  "cp-failed": {
    title: "tar failed",
    explanation: "The tar inside the workload ended with an error, which is shown.",
    next: "Mend what it says: often rights, or a full disk.",
  },
  "cp-link": {
    title: "a link by that name",
    explanation: "What was asked for is a symbolic link. It is not followed, for it may lead anywhere.",
    next: "Copy what it leads to, by that path.",
  },
  "cp-places-wrong": {
    title: "from where to where",
    explanation: "`weir cp` copies between here and a workload: exactly one of the two places is `APP:PATH`.",
    next: "Name one file here and one inside; between two workloads copy by way of here, or pipe one `weir cp … -` into another.",
  },
  "cp-terminal": {
    title: "an archive for a terminal",
    explanation: "With `-` the target is stdout, which gets a tar archive; a terminal can show none.",
    next: "Send it into a file or to `tar -tv`.",
  },
  "cp-unreadable": {
    title: "it cannot be read here",
    explanation: "What should be copied is here and cannot be read.",
    next: "Mend the reason that is shown.",
  },
  "cp-unwritable": {
    title: "it cannot be written here",
    explanation: "A file could not be written here: something else is in its place, a link would lead elsewhere, or the disk is full.",
    next: "Choose another target, or make room there.",
  },
  "cp-without-tar": {
    title: "no tar in the workload",
    explanation: "`weir cp` uses the tar that is in the workload, and this one has none.",
    next: "Use an image that has it; what never changes can be given as a config.",
  },
  "daemon-error": {
    title: "the daemon failed",
    explanation: "The daemon answered with an error that is none of ours.",
    next: "See its log: `weir system logs`.",
  },
  "daemon-start": {
    title: "the daemon did not start",
    explanation: "The daemon ended while it started, or did not answer in time.",
    next: "The message has the last lines of its log; `weir check` finds what the machine lacks.",
  },
  "daemon-stays": {
    title: "the daemon did not end",
    explanation: "The daemon was told to end and still runs.",
    next: "End it by the process id that the message names, then try again: nothing is lost.",
  },
  "daemon-unreachable": {
    title: "the daemon does not answer",
    explanation: "A daemon should be there, but the connection to it failed.",
    next: "See why: `weir system logs`. Traffic goes on meanwhile.",
  },
  "domain-clash": {
    title: "a host name of two",
    explanation: "Two things want the same host name at the gateway.",
    next: "Rename one of them, or remove the host from a router.",
  },
  "envoy-pending": {
    title: "Envoy has not answered yet",
    explanation: "The change is declared, but Envoy has not acknowledged it within the time to wait.",
    next: "Wait; `weir system status` tells when it is in force.",
  },
  "envoy-refused": {
    title: "Envoy refused the change",
    explanation: "Envoy rejected the configuration; what was in force before still is.",
    next: "`weir system status` has Envoy's reason; change what it names.",
  },
  "exec-failed": {
    title: "the command did not start",
    explanation: "`weir exec` could not enter the workload.",
    next: "`weir ps` says whether it runs.",
  },
  "file-unreadable": {
    title: "unreadable file",
    explanation: "A file is there but cannot be read.",
    next: "Check that it is text and that you may read it.",
  },
  "gateway-elsewhere": {
    title: "the gateway is elsewhere",
    explanation: "The gateway listens on another address already.",
    next: "To move it: `weir system stop`, then the command again.",
  },
  "image-missing": {
    title: "no image",
    explanation: "A cluster runs containers, and nothing says what this one is made from.",
    next: "Add `--image IMAGE`, like `--image registry.example.com/web:1.0`.",
  },
  "in-use": {
    title: "still used",
    explanation: "Something else refers to what was to be removed.",
    next: "Remove that first.",
  },
  internal: {
    title: "a bug",
    explanation: "Something happened that must not.",
    next: "See `weir system logs` and report it.",
  },
  "kubernetes-name": {
    title: "not a name for Kubernetes",
    explanation: "An exported object would have a name that Kubernetes does not take, or that another one has.",
    next: "Choose a shorter or another name.",
  },
  "kubernetes-size": {
    title: "too large for Kubernetes",
    explanation: "Kubernetes takes at most 1 MiB in a ConfigMap.",
    next: "Put large files into the image.",
  },
  "mesh-rule-order": {
    title: "another order of rules",
    explanation: "The mesh chooses the most specific rule, not the first, and that would lead requests elsewhere.",
    next: "Put the more specific rule first, or export for a mesh that the hint names.",
  },
  "mesh-unsupported": {
    title: "the mesh cannot do that",
    explanation: "The mesh to export for has no way to say this.",
    next: "Do what the hint says, or export for another mesh.",
  },
  "name-missing": {
    title: "no name",
    explanation: "The service to run has no name.",
    next: "Add `-n NAME` or `-n NAME@VERSION`.",
  },
  "name-taken": {
    title: "the name is taken",
    explanation: "A new version would answer to a name that something else has.",
    next: "Choose another name or version.",
  },
  "namespace-invalid": {
    title: "not a namespace",
    explanation: "Namespaces are DNS labels: 1 to 63 of a-z, 0-9 and `-`.",
    next: "Choose a name like that.",
  },
  "namespaces-differ": {
    title: "several namespaces",
    explanation: "One command changes one namespace.",
    next: "Run the command once for each.",
  },
  "not-an-app": {
    title: "not an app",
    explanation: "The command needs an app, and this is something else.",
    next: "Write `APP` or `APP@VERSION`.",
  },
  "not-found": {
    title: "no such object",
    explanation: "There is nothing of this name (any more).",
    next: "Correct the name or add `-n NAMESPACE`.",
  },
  "not-running": {
    title: "not running",
    explanation: "Nothing of it runs now.",
    next: "`weir ps` says why; `weir scale` starts replicas.",
  },
  "nothing-running": {
    title: "nothing runs here",
    explanation: "No daemon runs, so that there is nothing to show or change.",
    next: "Start with `weir up DIR`.",
  },
  "option-elsewhere": {
    title: "an option of another place",
    explanation: "The option is about this machine, and the context is a cluster.",
    next: "Leave it out, or act on this machine with `--context local`.",
  },
  "owned-by-other": {
    title: "another stack's",
    explanation: "An object belongs to another stack, and only one file can own it.",
    next: "Take it out of one of the files, or take the other stack down.",
  },
  "path-missing": {
    title: "no such path",
    explanation: "There is no file or folder of this name, here or in the workload; the message says where.",
    next: "Correct the path; inside, `weir exec APP -- ls` shows what there is.",
  },
  "platform-starting": {
    title: "not ready yet",
    explanation: "The node agent has not answered yet.",
    next: "Try again in a moment.",
  },
  "port-absent": {
    title: "no such port",
    explanation: "The app has no port of this number, neither for callers nor in its container.",
    next: "Name one of those that the message lists.",
  },
  "port-clash": {
    title: "two users of one port",
    explanation: "A TCP port at the gateway can lead to one service only.",
    next: "Give one of them another port, or `public: false`.",
  },
  "port-duplicate": {
    title: "a port twice",
    explanation: "The service has the same port twice.",
    next: "Remove one of them.",
  },
  "port-taken": {
    title: "the local port is taken",
    explanation: "`weir port-forward` cannot listen on the port of this machine.",
    next: "Name another one: `LOCALPORT:PORT`; 0 is any free one.",
  },
  "ref-invalid": {
    title: "names nothing",
    explanation: "The text is not `[NAMESPACE:][KIND/]NAME[@VERSION]`.",
    next: "Write it like `web`, `web@v2`, `router/www` or `team-a:web`.",
  },
  "ref-kind-unknown": {
    title: "no such kind",
    explanation: "There is no kind of object of this name.",
    next: "Take one that the hint names.",
  },
  "ref-kind-wrong": {
    title: "another kind of object",
    explanation: "The object exists, but the command needs an app.",
    next: "Name an app.",
  },
  "replace-failed": {
    title: "the proxies were not replaced",
    explanation: "A new Envoy did not take over; the old one still serves.",
    next: "See why: `weir system logs`.",
  },
  "request-invalid": {
    title: "not such a request",
    explanation: "The request to the API has not the form that it must have.",
    next: "The contract is at `GET /v1/openapi.json`.",
  },
  "revision-unknown": {
    title: "no such revision",
    explanation: "The app's history has no such revision.",
    next: "`weir history APP` lists them.",
  },
  "rollback-impossible": {
    title: "nothing left to roll back to",
    explanation: "Every version that had traffic at that revision is gone.",
    next: "Declare one of them again.",
  },
  "rollback-nothing": {
    title: "nothing to roll back",
    explanation: "The weights never changed.",
    next: "`weir history APP` shows what there was.",
  },
  "route-unknown": {
    title: "no such route",
    explanation: "The API has no such path.",
    next: "`GET /v1/openapi.json` lists what there is.",
  },
  "scale-invalid": {
    title: "no count",
    explanation: "The text says no number of replicas.",
    next: "Write `APP=COUNT`, like `hello=3`.",
  },
  "scale-per-node": {
    title: "no number to change",
    explanation: "The version has one replica on every node: `scale: per-node`.",
    next: "Give it a number in its file, or leave it as it is.",
  },
  "settings-invalid": {
    title: "settings of the daemon",
    explanation: "The daemon was started with a flag or variable that makes no sense.",
    next: "Mend what the message names.",
  },
  "stack-empty": {
    title: "a file that declares nothing",
    explanation:
      "The file has no service, router, external service, config, secret or namespace. `up` would take away all that the stack has; a file that was cut off by accident looks the same.",
    next: "Say so if it is meant: `weir down STACK`.",
  },
  "stack-unknown": {
    title: "no such stack",
    explanation: "No stack of this name was brought up.",
    next: "`weir stack ls` lists them.",
  },
  "stack-unreadable": {
    title: "a file without a stack",
    explanation: "The file is too broken to say which stack it is.",
    next: "Mend the file, or name the stack.",
  },
  "stacks-differ": {
    title: "several stacks",
    explanation: "One command takes down one stack.",
    next: "Name it once.",
  },
  "state-dir-unsafe": {
    title: "unsafe state folder",
    explanation: "The state folder is not a folder of this user, so that others could write into it.",
    next: "Move it away, or set `WEIR_HOME` to another folder.",
  },
  "still-ending": {
    title: "still ending",
    explanation: "It was removed, but not everything has ended yet.",
    next: "Wait; `weir system stop` ends everything.",
  },
  "store-corrupt": {
    title: "broken store",
    explanation: "The database of declarations is damaged.",
    next: "Move it away as the hint says, then run `weir up` again.",
  },
  "store-locked": {
    title: "locked store",
    explanation: "Another process has the database of declarations.",
    next: "End that process; one state folder has one daemon.",
  },
  "store-newer": {
    title: "a newer store",
    explanation: "A newer Weir wrote the database of declarations.",
    next: "Use that version, or another state folder.",
  },
  "store-unreadable": {
    title: "unreadable store",
    explanation: "The database of declarations cannot be opened.",
    next: "Check the folder's permissions.",
  },
  "store-unwritable": {
    title: "unwritable store",
    explanation: "The change could not be written, so nothing was changed.",
    next: "Free space on the disk, and check permissions.",
  },
  "tool-missing": {
    title: "a tool is missing",
    explanation: "The machine lacks a program that Weir needs.",
    next: "`weir check` says how to get it.",
  },
  "unknown-mesh": {
    title: "no such mesh",
    explanation: "`weir export` knows no such mesh.",
    next: "Take one that the message names.",
  },
  "unknown-output": {
    title: "no such output",
    explanation: "`-o` knows no such format.",
    next: "Take one of `table`, `wide`, `json`, `yaml` and `name`.",
  },
  "unknown-problem": {
    title: "no such problem",
    explanation: "There is no problem of this code.",
    next: "`weir explain` lists all codes.",
  },
  "unknown-shell": {
    title: "no such shell",
    explanation: "There is no completion for this shell.",
    next: "Take `bash`, `zsh` or `fish`.",
  },
  "up-interrupted": {
    title: "interrupted",
    explanation: "The daemon ended while it was at work.",
    next: "See what there is with `weir ps`, then run `up` again.",
  },
  "version-exists": {
    title: "the version exists",
    explanation: "A version cannot be staged or run over one that is there.",
    next: "Choose another version, or `weir rm` this one first.",
  },
  "version-missing": {
    title: "no version",
    explanation: "The command needs a version of an app.",
    next: "Write `APP@VERSION`, like `web@v2`.",
  },
  "volumes-fixed": {
    title: "a version's volumes stay as they are",
    explanation:
      "The file gives a version that has volumes other ones: another name, size or class. Data would be out of sight, and no cluster changes them in place.",
    next: "Make another version with the volumes that you want, or resize the claims themselves: `kubectl get pvc -l weir.dev/app=APP`.",
  },
  "weight-arg-invalid": {
    title: "no weight for a version",
    explanation: "The text is not `APP@VERSION=PERCENT`.",
    next: "Write it like `web@v2=10%`.",
  },
};
