import assert from "node:assert/strict";
import test from "node:test";
import { external, planOf, port } from "../../../test/support/stacks.ts";
import { backendsOf } from "./backends.ts";
import { emitAddresses, externalTls, hasNames, localAddressProblems, portDestination } from "./external.ts";

const appProtocols = { http: "http", http2: "kubernetes.io/h2c", grpc: "kubernetes.io/h2c", tcp: "tcp" };

function only(one: ReturnType<typeof external>) {
  const plan = planOf({ externals: [one] });
  const [host] = plan.hosts;
  assert.ok(host);
  return { host, backends: backendsOf(plan) };
}

test("addresses and names are told apart, and a name among addresses makes names of all", () => {
  const kindOf = (...endpoints: readonly string[]): string => {
    const { host, backends } = only(external("db", endpoints, { ports: [port("5432/tcp")] }));
    const [first] = host.ports;
    assert.ok(first);
    assert.equal(hasNames(host, backends), portDestination(first, backends).kind === "names");
    return portDestination(first, backends).kind;
  };
  assert.equal(kindOf("10.0.0.5:5432", "fd00::1:5432"), "addresses");
  assert.equal(kindOf("db.example.com:5432"), "names");
  assert.equal(kindOf("10.0.0.5:5432", "db.example.com:5432"), "names");
});

test("the machine's own loopback is refused with the place of the declaration, once for each name", () => {
  const { host, backends } = only(external("db", ["localhost:5432", "127.0.0.2:5432", "10.0.0.5:5432"], { ports: [port("1/tcp"), port("2/tcp")] }));
  const problems = localAddressProblems(host, backends, "linkerd");
  assert.deepEqual(
    problems.map(({ code, where }) => [code, where?.line]),
    [
      ["mesh-unsupported", 90],
      ["mesh-unsupported", 90],
    ],
  );
  assert.match(problems[0]?.message ?? "", /^Linkerd .*`localhost`.*`db`/);
});

test("one EndpointSlice for each family and each port behind, all under the Service's port name", () => {
  const { host, backends } = only(external("db", ["10.0.0.5:5432", "10.0.0.6:5432", "10.0.0.7:6432", "fd00::1:5432"], { ports: [port("5432/tcp")] }));
  const [service, ...slices] = emitAddresses(host, backends, appProtocols);
  assert.equal(service?.spec?.["selector"], undefined);
  assert.deepEqual(
    slices.map(({ addressType, endpoints, ports }) => [addressType, endpoints?.length, ports?.[0]?.["name"], ports?.[0]?.["port"]]),
    [
      ["IPv4", 2, "tcp-5432", 5432],
      ["IPv4", 1, "tcp-5432", 6432],
      ["IPv6", 1, "tcp-5432", 5432],
    ],
  );
  assert.equal(new Set(slices.map(({ metadata }) => metadata.name)).size, 3);
});

test("the server name of TLS is the external service's", () => {
  const withTls = only(external("pay", ["pay.example.com:443"], { tls: { serverName: "pay.example.com" }, ports: [port("80/http")] }));
  assert.equal(externalTls(withTls.host, withTls.backends), "pay.example.com");
  const without = only(external("db", ["10.0.0.5:5432"]));
  assert.equal(externalTls(without.host, without.backends), undefined);
});
