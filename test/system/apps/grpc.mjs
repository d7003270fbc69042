// A gRPC service and its client by an independent library: `grpc.mjs` serves on PORT, `grpc.mjs HOST:PORT COUNT` calls.
import grpc from "@grpc/grpc-js";

const bytes = { serialize: (value) => value, deserialize: (value) => value };
const method = (path, responseStream = false) => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});
const echo = { say: method("/test.Echo/Say"), count: method("/test.Echo/Count", true) };
const health = { check: method("/grpc.health.v1.Health/Check") };

function serve() {
  const server = new grpc.Server();
  server.addService(echo, {
    say: (call, done) => done(null, Buffer.concat([Buffer.from(`${process.env.WEIR_VERSION} `), call.request])),
    count: (call) => {
      for (let i = 0; i < 5; i += 1) call.write(Buffer.from(String(i)));
      call.end();
    },
  });
  // HealthCheckResponse{status: SERVING}
  server.addService(health, { check: (_, done) => done(null, Buffer.from([8, 1])) });
  server.bindAsync(`0.0.0.0:${process.env.PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
  process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
}

async function call(target, count) {
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  const answers = new Set();
  for (let i = 0; i < count; i += 1) {
    answers.add(
      await new Promise((resolve) =>
        client.makeUnaryRequest(echo.say.path, bytes.serialize, bytes.deserialize, Buffer.from("hi"), (error, answer) =>
          resolve(error ? `error ${error.code}` : answer.toString()),
        ),
      ),
    );
  }
  const stream = client.makeServerStreamRequest(echo.count.path, bytes.serialize, bytes.deserialize, Buffer.alloc(0));
  let streamed = "";
  for await (const piece of stream) streamed += piece.toString();
  const unknown = await new Promise((resolve) =>
    client.makeUnaryRequest("/test.Echo/None", bytes.serialize, bytes.deserialize, Buffer.alloc(0), (error) => resolve(error?.code)),
  );
  console.log(JSON.stringify({ answers: [...answers].sort(), streamed, unknown }));
  client.close();
}

if (process.argv[2] === undefined) serve();
else await call(process.argv[2], Number(process.argv[3]));
