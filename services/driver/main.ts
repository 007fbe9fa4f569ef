/**
 * The process of one driver: `--cell FILE --device ID`.
 *
 * The idea: wires only. The stop socket is opened first, so that the device can be stopped before
 * anything else is ready. It refuses a device that the cell file does not have.
 */

import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import { runService } from "#kernel/edge/process.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { ServocellError } from "#kernel/errors.js";
import { stopPath } from "#kernel/run-dir.js";
import { buildDriver } from "./app.js";
import { driverSchema } from "./schema.js";

await runService({
  service: ({ device }) => `driver-${device ?? ""}`,
  env: process.env,
  build: async ({ config: cell, args, boot, newId, log }) => {
    const device = cell.devices.find(({ id }) => id === args.device);
    if (device === undefined) {
      const known = cell.devices.map(({ id }) => id).join(", ");
      const text = `--device ${args.device ?? "is missing"}; the cell has ${known}`;
      throw new ServocellError("NOT_FOUND", text);
    }
    const { broker, runDir, dataDir } = cell;
    const door = await openStopDoor({ path: stopPath(runDir, device.id), newId, log });
    const store = await openStore(`${dataDir}/${boot.service}.db`, driverSchema).catch(
      async (thrown: unknown) => {
        // The other instance is on its way out: the door must be free for the next attempt.
        await door.close();
        throw thrown;
      },
    );
    const { bus, setup, breakerFailures: failures, breakerResetMs: resetMs } = device;
    const field = openFieldLink({ runDir, bus, unit: setup.unit, device: device.id, log });
    const shared = {
      url: broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`,
      prefix: `${cell.prefix}/${cell.cell}`,
      newId,
      log,
    };
    const stop = openMqttLink({ ...shared, clientId: `${boot.service}-stop` });
    const main = openMqttLink({ ...shared, clientId: boot.service, will: boot });
    const breaker = openBreaker({ device: device.id, failures, resetMs });
    const ports = { main, stop, field, store, breaker, door, log, boot, newId };
    return buildDriver(ports, { cell, device });
  },
});
