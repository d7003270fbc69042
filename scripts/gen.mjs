// Regenerates gen/ from Envoy's .proto files and our own: node scripts/gen.mjs (development only; gen/ is committed).
// The files come from the crate `envoy-types` (Apache-2.0), fetched by cargo into .cache; exact version below.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";

const crateVersion = "0.7.7";
const root = path.resolve(import.meta.dirname, "..");
const work = path.join(root, ".cache/proto");

/** What is built by hand in the source; everything these import is generated, too. */
const wanted = [
  "envoy/config/bootstrap/v3/bootstrap.proto",
  "envoy/config/rbac/v3/rbac.proto",
  "envoy/extensions/access_loggers/file/v3/file.proto",
  "envoy/extensions/access_loggers/stats/v3/stats.proto",
  "envoy/extensions/access_loggers/stream/v3/stream.proto",
  "envoy/extensions/bootstrap/internal_listener/v3/internal_listener.proto",
  "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.proto",
  "envoy/extensions/filters/http/cors/v3/cors.proto",
  "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.proto",
  "envoy/extensions/filters/http/fault/v3/fault.proto",
  "envoy/extensions/filters/http/grpc_stats/v3/config.proto",
  "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/filters/http/health_check/v3/health_check.proto",
  "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto",
  "envoy/extensions/filters/http/rbac/v3/rbac.proto",
  "envoy/extensions/filters/http/router/v3/router.proto",
  "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto",
  "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto",
  "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
  "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto",
  "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.proto",
  "envoy/extensions/filters/network/rbac/v3/rbac.proto",
  "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.proto",
  "envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.proto",
  "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
  "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/load_balancing_policies/least_request/v3/least_request.proto",
  "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.proto",
  "envoy/extensions/matching/common_inputs/network/v3/network_inputs.proto",
  "envoy/extensions/matching/common_inputs/transport_socket/v3/transport_socket_inputs.proto",
  "envoy/extensions/matching/input_matchers/ip/v3/ip.proto",
  "envoy/extensions/path/match/uri_template/v3/uri_template_match.proto",
  "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.proto",
  "envoy/extensions/resource_monitors/cgroup_memory/v3/cgroup_memory.proto",
  "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.proto",
  "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.proto",
  "envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.proto",
  "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto",
  "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto",
  "envoy/extensions/transport_sockets/tls/cert_mappers/filter_state_override/v3/config.proto",
  "envoy/extensions/transport_sockets/tls/cert_selectors/on_demand_secret/v3/config.proto",
  "envoy/extensions/transport_sockets/tls/v3/secret.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto",
  "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
  "envoy/service/discovery/v3/ads.proto",
  "weir/identity/v1/certificates.proto",
  "xds/type/matcher/v3/ip.proto",
];

/** Fetches the crate and lays its proto folders out below .cache/proto. */
function fetchProtos() {
  const project = path.join(root, ".cache/proto-crate");
  mkdirSync(path.join(project, "src"), { recursive: true });
  writeFileSync(
    path.join(project, "Cargo.toml"),
    `[package]\nname = "protos"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nenvoy-types = "=${crateVersion}"\n`,
  );
  writeFileSync(path.join(project, "src/lib.rs"), "");
  execFileSync("cargo", ["fetch", "--quiet"], { cwd: project, stdio: "inherit" });
  const sources = path.join(process.env.CARGO_HOME ?? path.join(homedir(), ".cargo"), "registry/src");
  const crate = readdirSync(sources)
    .map((index) => path.join(sources, index, `envoy-types-${crateVersion}`))
    .find((candidate) => existsSync(candidate));
  if (crate === undefined) throw new Error(`cargo fetched envoy-types ${crateVersion} but it is not below ${sources}`);
  rmSync(work, { recursive: true, force: true });
  for (const module of readdirSync(path.join(crate, "proto"))) cpSync(path.join(crate, "proto", module), path.join(work, module), { recursive: true });
  cpSync(path.join(root, "proto/xds"), path.join(work, "xds/xds"), { recursive: true });
  cpSync(path.join(root, "proto/weir"), path.join(work, "weir/weir"), { recursive: true });
}

function folderOf(file) {
  return /^(?:xds|weir)(?=\/)/.exec(file)?.[0] ?? "data-plane-api";
}

function buf(...args) {
  execFileSync(path.join(root, "node_modules/.bin/buf"), args, { cwd: work, stdio: "inherit" });
}

fetchProtos();
const missing = wanted.filter((file) => !existsSync(path.join(work, folderOf(file), file)));
if (missing.length > 0) throw new Error(`no such .proto: ${missing.join(", ")}`);
const modules = readdirSync(work).map((module) => ({ path: module === "cel-spec" ? "cel-spec/proto" : module }));
writeFileSync(path.join(work, "buf.yaml"), JSON.stringify({ version: "v2", modules }));
writeFileSync(
  path.join(work, "buf.gen.yaml"),
  JSON.stringify({
    version: "v2",
    plugins: [
      {
        local: path.join(root, "node_modules/.bin/protoc-gen-es"),
        out: path.join(root, "gen"),
        opt: ["target=js+dts", "import_extension=js"],
        strategy: "all",
        include_imports: true,
      },
    ],
  }),
);
rmSync(path.join(root, "gen"), { recursive: true, force: true });
buf("generate", ...wanted.flatMap((file) => ["--path", path.join(folderOf(file), file)]));
buf("build", "--exclude-source-info", "-o", path.join(work, "all.binpb"));
const descriptors = readFileSync(path.join(work, "all.binpb"));
writeFileSync(path.join(root, "gen/envoy.binpb.gz"), gzipSync(descriptors, { level: 9 }));
writeFileSync(
  path.join(root, "gen/README.md"),
  `# Generated\nBy \`node scripts/gen.mjs\` from the .proto files of the crate envoy-types ${crateVersion} (Apache-2.0: Envoy, xDS, googleapis, protoc-gen-validate, CEL) and from proto/. Never edited by hand.\n\`envoy.binpb.gz\` is the descriptor set of all of them (sha256 of the content: ${createHash("sha256").update(descriptors).digest("hex")}).\n`,
);
