import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf } from "../../../test/support/parse.ts";

const beside =
  'services: {web: {command: x, ports: 80}, web@v2: {command: x, ports: 80}, raw: {command: x, ports: 7000/tcp}, bare: {command: x}}\nexternalServices: {db: {address: "localhost:5432"}, pay: {address: "pay.example:443", ports: 80/http}}\nrouters:\n  www:\n    rules:\n    - ';

/** A router with one rule, in front of apps and external services of every kind. */
function rule(text: string): string {
  return `${beside}${text}`;
}

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  [rule("to: wbe"), ['6:11 destination-unknown: there is no app "wbe" in namespace default (one of web, raw, bare, db, pay)']],
  [rule("to: web:80"), ['6:11 destination-unknown: there is no app "80" in namespace web (write {app: web, port: 80} if this is a port)']],
  [
    rule("{match: {path: a}, to: web}\n    - {match: {path: /b}, to: web}"),
    ['6:22 path-invalid: "a" is not a path (paths start with / and have no ?, # or spaces)'],
  ],
  [rule("to: web@v3"), ['6:11 version-unknown: web has no version "v3" (did you mean "v1"?)']],
  [rule("to: raw"), ["6:11 destination-not-http: requests can't go to raw: it speaks only tcp there (give it a port like 80:8080/http)"]],
  [rule("to: bare"), ["6:11 destination-not-http: requests can't go to bare: it has no ports (give it a port like 80:8080/http)"]],
  [rule("to: db"), ["6:11 destination-not-http: requests can't go to db: it speaks only tcp there (give it a port like 80:8080/http)"]],
  [rule("to: {external: pya}"), ['6:22 destination-unknown: there is no external service "pya" in namespace default (one of db, pay)']],
  [rule("to: {app: web, port: 81}"), ["6:28 port-unknown: web has no port 81 (it has 80)"]],
  [
    rule("to: router/www"),
    ["6:11 destination-invalid: requests can't go to a router (write web, web@v2, team-a:web, {app: web, weight: 10} or {external: db})"],
  ],
  [rule("to: []"), ["6:11 destination-invalid: there is no destination here (write web, web@v2, team-a:web, {app: web, weight: 10} or {external: db})"]],
  [rule("{}"), ["6:7 rule-invalid: a rule needs to or redirect (write to: APP)"]],
  [
    rule("{to: web, redirect: {path: /x}}"),
    ['6:12 rule-invalid: a rule that redirects can\'t have "to" (a redirect is answered at once, nothing is forwarded)'],
  ],
  [rule("{redirect: {}}"), ["6:18 redirect-invalid: this redirects to where it came from (say scheme, host, port or path)"]],
  [
    rule("{redirect: {path: x, code: 305, scheme: ftp, port: 0, host: 'a b'}}"),
    [
      '6:25 path-invalid: "x" is not a path (paths start with / and have no ?, # or spaces)',
      '6:34 value-unknown: "305" is not a redirect\'s status (did you mean "301"?)',
      '6:47 value-unknown: "ftp" is not a scheme (one of http, https)',
      '6:58 number-invalid: "0" is not a port (a whole number from 1 to 65535)',
      '6:67 host-invalid: "a b" is not a host name (names like shop.example)',
    ],
  ],
  [
    rule("{to: [{app: web, weight: 50}, {app: web, version: v2, weight: 40}]}"),
    ["6:69 weights-sum: the weights of these destinations sum to 90% (make them sum to 100)"],
  ],
  [
    rule("{to: [{app: web, weight: 50}, web@v2]}"),
    ["6:37 weights-sum: this destination has no weight, others have (give every destination a weight, or none)"],
  ],
  [rule("{to: [web, web]}"), ["6:18 duplicate-destination: web is here twice (add up the two weights)"]],
  [
    rule("{to: {app: web, external: pay}}"),
    ["6:33 destination-invalid: this names both an app and an external service (write web, web@v2, team-a:web, {app: web, weight: 10} or {external: db})"],
  ],
  [rule("{to: {external: pay, version: v1}}"), ["6:37 destination-invalid: external services have no versions"]],
  [
    rule("{to: {weight: 100}}"),
    ["6:12 destination-invalid: this names nothing to send requests to (write web, web@v2, team-a:web, {app: web, weight: 10} or {external: db})"],
  ],
  [rule("{to: other:web}"), ['6:12 destination-unknown: there is no app "web" in namespace other (declare it in this file, or start it first)']],
  [rule("{to: {app: web, weight: 50}}"), ["6:31 weights-sum: the weights of these destinations sum to 50% (make them sum to 100)"]],
  [rule("{match: {path: api}, to: web}"), ['6:22 path-invalid: "api" is not a path (paths start with / and have no ?, # or spaces)']],
  [
    rule("{match: {path: {regex: '(?=a)'}}, to: web}"),
    ['6:30 regex-invalid: "(?=a)" is not a regular expression: invalid or unsupported Perl syntax: `(?=` (RE2\'s syntax: no look-around, no back-references)'],
  ],
  [
    rule("{match: {path: {regex: '('}}, to: web}"),
    ['6:30 regex-invalid: "(" is not a regular expression: missing closing ): `(` (RE2\'s syntax: no look-around, no back-references)'],
  ],
  [
    rule("{match: {path: {regex: '/a.*'}}, to: web, rewrite: {path: /}}"),
    ["6:58 rewrite-invalid: a path matched by a regular expression has no prefix to replace (write rewrite: {regex: {pattern: …, substitution: …}})"],
  ],
  [
    rule("{match: {method: GTE}, to: web}"),
    ['6:24 value-unknown: "GTE" is not a method (one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT, TRACE)'],
  ],
  [rule("{match: {headers: {'x y': a}}, to: web}"), ['6:26 header-invalid: "x y" is not a header\'s name (use letters, digits and -)']],
  [
    rule("{match: {headers: {x: {exact: a, prefix: b}}}, to: web}"),
    ["6:48 match-invalid: this says two things to match (say one of exact, prefix, regex or present)"],
  ],
  [
    rule("{match: {headers: {x: {present: false}}}, to: web}"),
    ["6:39 match-invalid: an absent value can't be matched (put a rule with present: true before this one)"],
  ],
  [rule("{match: {headers: {x: {}}}, to: web}"), ["6:29 match-invalid: this says nothing to match (say one of exact, prefix, regex or present)"]],
  [rule("{match: {pth: /a}, to: web}"), ['6:16 unknown-key: a match has no "pth" (did you mean "path"?)']],
  [rule("{match: {path: {present: true}}, to: web}"), ['6:23 unknown-key: a path has no "present" (one of exact, prefix, regex)']],
  [
    rule("to: web\n    - {match: {path: /a}, to: web}"),
    ["7:7 rule-unreachable: no request reaches this rule (the rule on line 6 takes them all: put this one before it)"],
  ],
  [
    rule("{match: {path: /a/*}, to: web}\n    - {match: {path: /a/b, method: GET}, to: web}"),
    ["7:7 rule-unreachable: no request reaches this rule (the rule on line 6 takes them all: put this one before it)"],
  ],
  [rule("{to: web, rewrite: {}}"), ["6:26 rewrite-invalid: this rewrites nothing (say host, path or regex)"]],
  [rule("{to: web, rewrite: {path: /, regex: {pattern: a, substitution: b}}}"), ["6:43 rewrite-invalid: this says both path and regex (say one of them)"]],
  [rule("{to: web, rewrite: {regex: {pattern: a}}}"), ['6:27 missing-key: a rewrite needs "substitution" (what with; \\1 is the first group)']],
  [
    rule("{to: web, headers: {request: {set: {Host: x}, remove: [a b]}}}"),
    [
      "6:43 header-invalid: the host header can't be changed like others (write rewrite: {host: NAME})",
      '6:62 header-invalid: "a b" is not a header\'s name (use letters, digits and -)',
    ],
  ],
  [
    rule('{to: web, headers: {request: {set: {x: "a\\nb"}}}}'),
    ['6:46 header-invalid: "a\\nb" is not a header\'s value (header values are one line without control characters)'],
  ],
  [rule("{to: web, headers: {set: {a: b}}}"), ['6:27 unknown-key: headers has no "set" (did you mean "request"?)']],
  [
    rule("{to: web, timeout: -1s, retries: {attempts: 0, perTry: 0s, on: [5xxx]}}"),
    [
      '6:26 duration-invalid: "-1s" is not a duration (write a duration like 250ms, 10s, 5m or 1h30m)',
      '6:51 number-invalid: "0" is not a number of retries (a whole number from 1 to 10)',
      "6:62 duration-invalid: 0s is too short (from 1ms to 1d)",
      '6:71 value-unknown: "5xxx" is not a reason to retry (did you mean "5xx"?)',
    ],
  ],
  [rule("{to: web, retries: {}}"), ['6:17 missing-key: retries needs "attempts" (how many more times to try)']],
  [rule("{path: /a, to: web}"), ['6:8 unknown-key: a rule has no "path" (did you mean "match"?)']],
  ["routers: {www: {}}", ["1:11 router-empty: a router needs rules (write rules: [{to: APP}])"]],
  ["routers: {www: {rules: []}}", ["1:11 router-empty: a router needs rules (write rules: [{to: APP}])"]],
  ["routers: {www@v1: {rules: [{redirect: {path: /x}}]}}", ['1:11 name-invalid: "www@v1": only services have versions (write www)']],
  [
    "routers: {www: {hosts: [a.b, A.b, 'http://x', '*.*.a', '*'], rules: [{redirect: {path: /x}}]}}",
    [
      "1:30 host-clash: a.b is here twice (say it once)",
      '1:35 host-invalid: "http://x" is not a host name (write the name alone, without scheme, port or path)',
      '1:47 host-invalid: "*.*.a" is not a host name (names like shop.example or *.shop.example)',
      '1:56 host-invalid: "*" is not a host name (names like shop.example or *.shop.example)',
    ],
  ],
  [
    "routers: {a: {hosts: x.y, rules: [{redirect: {path: /x}}]}, b: {hosts: x.y, rules: [{redirect: {path: /x}}]}}",
    ["1:72 host-clash: x.y is here twice (router a has it)"],
  ],
];

test("every mistake in a router is found at its place", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});
