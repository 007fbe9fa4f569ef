/**
 * The process of the bus service: one for all TCP endpoints of a cell.
 *
 * The idea: wires only. The lane sockets are opened first, because they are what a second bus
 * service is refused by. It refuses nothing that app.ts and the edge do not.
 */
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { runService } from "#kernel/edge/process.js";
import { ServocellError } from "#kernel/errors.js";
import { buildBus } from "./app.js";

await runService({
  service: "bus",
  env: process.env,
  build: async ({ config, boot, newId, log }) => {
    const { runDir, buses, broker, prefix, cell } = config;
    const lanes = await openLaneServer({ runDir, buses, log });
    const wires = new Map(
      buses.map(({ id, link }) => {
        if (link.kind !== "tcp") throw new ServocellError("INTERNAL", `no wire for ${link.kind}`);
        return [id, openModbusWire({ host: link.host, port: link.port, log })];
      }),
    );
    const main = openMqttLink({
      url: broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`,
      clientId: boot.service,
      prefix: `${prefix}/${cell}`,
      will: boot,
      newId,
      log,
    });
    return buildBus({ wires, lanes, main, log, boot, newId }, config);
  },
});
