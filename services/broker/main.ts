/**
 * The process of the embedded broker.
 *
 * The idea: wires only. It refuses a cell that names a broker of its own.
 */
import { runService } from "#kernel/edge/process.js";
import { listen } from "#kernel/edge/socket-server.js";
import { ServocellError } from "#kernel/errors.js";
import { buildBroker, clientBufferBytes } from "./app.js";

/** Clients at a time: two links for each service, with room for tools. */
const connectionsMax = 1000;

await runService({
  service: "broker",
  env: process.env,
  build: ({ config, log }) => {
    const { broker } = config;
    if (broker.kind === "external") {
      throw new ServocellError(
        "VALIDATION_FAILED",
        `${config.file} names the broker ${broker.url}; the embedded one is not needed.`,
      );
    }
    const { host, port } = broker;
    return buildBroker({
      log,
      listen: (onSocket) =>
        listen({
          address: { host, port },
          connectionsMax,
          bufferBytes: clientBufferBytes,
          onSocket,
        }),
    });
  },
});
