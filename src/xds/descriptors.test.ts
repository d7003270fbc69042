import assert from "node:assert/strict";
import { test } from "node:test";
import { messageFromJson, messageToJson } from "./descriptors.ts";
import { typeUrls } from "./type-urls.ts";

test("any configuration goes from JSON to binary and back, with what is inside Any", () => {
  const cluster = {
    name: "web",
    connectTimeout: "1s",
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  };
  assert.deepEqual(messageToJson(typeUrls.cluster, messageFromJson(typeUrls.cluster, cluster)), cluster);
});

test("what does not fit says which key", () => {
  assert.throws(() => messageFromJson(typeUrls.cluster, { nam: "web" }), /"nam"/);
  assert.throws(() => messageFromJson("envoy.None", {}), /no message envoy\.None/);
});
