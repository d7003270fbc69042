/** What a node holds as Envoy's secrets (SDS): a certificate under its SPIFFE ID, whom to trust under the trust domain's. Pure. */
import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { type Secret, SecretSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { SPIFFECertValidatorConfigSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js";
import { trustDomainId } from "../model/spiffe.ts";
import type { TrustBundle } from "./bundle.ts";
import type { HeldSvid, NodeIdentities } from "./node-identities.ts";

/** An encoded resource, as the discovery server's `encodeResource` takes it. */
export interface SecretResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly body: Uint8Array;
}

const prefix = "type.googleapis.com/";
const validatorName = "envoy.tls.cert_validator.spiffe";

/** All secrets of a node. They hold private keys: for the node's own proxy, over its own socket only. */
export function encodeSecrets({ svids, bundle }: NodeIdentities): readonly SecretResource[] {
  const secrets = [...svids.values()].map(certificateSecret);
  return (bundle === undefined ? secrets : [...secrets, validationSecret(bundle)]).map((secret) => ({
    typeUrl: prefix + SecretSchema.typeName,
    name: secret.name,
    body: toBinary(SecretSchema, secret),
  }));
}

function certificateSecret({ id, chain, key }: HeldSvid): Secret {
  const inline = (text: string) => ({ specifier: { case: "inlineString" as const, value: text } });
  return create(SecretSchema, {
    name: id,
    type: { case: "tlsCertificate", value: { certificateChain: inline(chain), privateKey: inline(key) } },
  });
}

/** Each domain with its own roots, so that an alias's authority cannot make identities of ours; a certificate without a SPIFFE ID is refused. */
function validationSecret(bundle: TrustBundle): Secret {
  const trustDomains = [bundle.own, ...bundle.aliases].map(({ trustDomain, roots }) => ({
    name: trustDomain,
    trustBundle: { specifier: { case: "inlineString" as const, value: roots.map(({ pem }) => pem).join("") } },
  }));
  const config = create(SPIFFECertValidatorConfigSchema, { trustDomains });
  const typedConfig = create(AnySchema, {
    typeUrl: prefix + SPIFFECertValidatorConfigSchema.typeName,
    value: toBinary(SPIFFECertValidatorConfigSchema, config),
  });
  return create(SecretSchema, {
    name: trustDomainId(bundle.own.trustDomain),
    type: { case: "validationContext", value: { customValidatorConfig: { name: validatorName, typedConfig } } },
  });
}
