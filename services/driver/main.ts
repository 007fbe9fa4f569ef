/**
 * The process of one driver, or of a group of them: `--cell FILE --device ID[,ID…]`.
 *
 * The idea: wires only. The stop sockets are opened first, so that the devices can be stopped
 * before anything else is ready. It refuses a device that the cell file does not have.
 */
import type { CellConfig, DeviceConfig } from "#kernel/config/cell.js";
import { openDriverClaims } from "#kernel/edge/driver-claims.js";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import { runService } from "#kernel/edge/process.js";
import { ServocellError } from "#kernel/errors.js";
import { buildDriver } from "./app.js";
import { DriverGroup, sharedLink } from "./group.js";
import { driverSchema } from "./schema.js";

/** @throws NOT_FOUND when the cell has no such device. */
function devicesOf({ devices }: CellConfig, given: string | undefined): readonly DeviceConfig[] {
  return (given ?? "").split(",").map((id) => {
    const device = devices.find((one) => one.id === id);
    if (device !== undefined) return device;
    const known = devices.map((one) => one.id).join(", ");
    const text = `--device ${given ?? "is missing"}; the cell has ${known}`;
    throw new ServocellError("NOT_FOUND", text);
  });
}

await runService({
  service: ({ device = "" }) => {
    const [first = "", ...others] = device.split(",");
    return others.length === 0 ? `driver-${first}` : `drivers-${first}`;
  },
  env: process.env,
  build: async (context) => {
    const { config: cell, args, boot, newId, log } = context;
    const claims = await openDriverClaims(context, devicesOf(cell, args.device), driverSchema);
    const { broker, runDir } = cell;
    const url = broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`;
    const way = { url, prefix: `${cell.prefix}/${cell.cell}`, newId };
    const orders = openMqttLink({ ...way, clientId: `${boot.service}-stop`, log });
    const stop = sharedLink(orders, claims.length);
    const drivers = claims.map((claim) => {
      const { device } = claim;
      const { bus, setup, breakerFailures: failures, breakerResetMs: resetMs } = device;
      const place = { runDir, bus, unit: setup.unit, device: device.id, log: claim.log };
      const main = openMqttLink({
        ...{ ...way, clientId: claim.boot.service, log: claim.log },
        will: claim.boot,
      });
      const breaker = openBreaker({ device: device.id, failures, resetMs });
      const ports = { ...claim, main, stop, field: openFieldLink(place), breaker, newId };
      return buildDriver(ports, { cell, device });
    });
    const [only] = drivers;
    return drivers.length === 1 && only !== undefined ? only : new DriverGroup(drivers);
  },
});
