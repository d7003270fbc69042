import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf } from "../../../test/support/parse.ts";

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  ["externalServices: {db: {}}", ['1:20 missing-key: an external service needs "address" (add address: HOST:PORT)']],
  [
    "externalServices: {db: {address: localhost}}",
    ['1:34 address-invalid: "localhost" is not an address (write HOST:PORT, like localhost:5432 or [::1]:5432)'],
  ],
  [
    "externalServices: {db: {address: 'https://a.b:443'}}",
    ['1:34 address-invalid: "https://a.b:443" is not an address (leave out the scheme; tls: true makes it TLS)'],
  ],
  ["externalServices: {db: {address: 'a:70000'}}", ['1:34 address-invalid: "a:70000" is not an address (write HOST:PORT, like localhost:5432 or [::1]:5432)']],
  [
    "externalServices: {db: {address: '1.2.3:80'}}",
    ['1:34 address-invalid: "1.2.3:80" is not an address (write HOST:PORT, like localhost:5432 or [::1]:5432)'],
  ],
  [
    "externalServices: {db: {address: '[::g]:80'}}",
    ['1:34 address-invalid: "[::g]:80" is not an address (write HOST:PORT, like localhost:5432 or [::1]:5432)'],
  ],
  ["externalServices: {db: {addresses: []}}", ["1:36 address-invalid: there is no address here (write HOST:PORT)"]],
  ["externalServices: {db: {address: 'a:1', addresses: ['b:1']}}", ["1:52 address-invalid: this says both address and addresses (say one of them)"]],
  ["externalServices: {db: {addresses: ['b:1', 'b:1']}}", ["1:44 address-invalid: this address is here twice"]],
  ["externalServices: {db: {address: 'a:1', ports: 80:81/tcp}}", ["1:48 port-invalid: an external service's own port stands in its address (write 80/tcp)"]],
  ["externalServices: {db: {address: '1.2.3.4:1', tls: true}}", ["1:52 tls-name: an IP address has no name to check (write tls: {serverName: NAME})"]],
  ["externalServices: {db: {address: 'a:1', tls: yes}}", ['1:46 not-boolean: "yes" is neither true nor false (write true without quotes)']],
  ["externalServices: {db: {address: 'a:1', tls: {}}}", ['1:41 missing-key: tls needs "serverName" (the name its certificate must have)']],
  ["externalServices: {db: {address: 'a:1', prots: 80}}", ['1:41 unknown-key: an external service has no "prots" (did you mean "ports"?)']],
];

test("every mistake in an external service is found at its place", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});
