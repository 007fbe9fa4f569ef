/**
 * The process of one driver, or of a group of them: `--cell FILE --device ID[,ID…]`.
 *
 * The idea: wires only. The stop sockets are opened first, so that the devices can be stopped
 * before anything else is ready. It refuses a device that the cell file does not have.
 */
import type { CellConfig, DeviceConfig } from "#kernel/config/cell.js";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import { runService, type ServiceContext } from "#kernel/edge/process.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { ServocellError } from "#kernel/errors.js";
import type { Boot, Log, StopDoor, Store } from "#kernel/ports.js";
import { stopPath } from "#kernel/run-dir.js";
import { buildDriver } from "./app.js";
import { DriverGroup, sharedLink } from "./group.js";
import { driverSchema } from "./schema.js";

/** What a driver holds alone in the whole cell. */
interface Claim {
  readonly device: DeviceConfig;
  readonly boot: Boot;
  readonly log: Log;
  readonly door: StopDoor;
  readonly store: Store;
}

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

function withService(log: Log, driver: string): Log {
  return {
    debug: (fields, text) => log.debug({ driver, ...fields }, text),
    info: (fields, text) => log.info({ driver, ...fields }, text),
    warn: (fields, text) => log.warn({ driver, ...fields }, text),
    error: (fields, text) => log.error({ driver, ...fields }, text),
  };
}

/** The doors of all first, then their stores; all of them or none. */
async function claimAll(
  { config, boot, newId, log }: ServiceContext,
  devices: readonly DeviceConfig[],
): Promise<readonly Claim[]> {
  const { runDir, dataDir } = config;
  const opened: { close(): Promise<void> }[] = [];
  const alone = devices.length === 1;
  try {
    const doors: StopDoor[] = [];
    for (const { id } of devices) {
      const door = await openStopDoor({ path: stopPath(runDir, id), newId, log });
      opened.push(door);
      doors.push(door);
    }
    const claims: Claim[] = [];
    for (const [i, device] of devices.entries()) {
      const service = `driver-${device.id}`;
      const store = await openStore(`${dataDir}/${service}.db`, driverSchema);
      opened.push(store);
      const own = alone ? boot : { ...boot, service, bootId: newId() };
      const door = doors[i] as StopDoor;
      const told = alone ? log : withService(log, service);
      claims.push({ device, door, store, boot: own, log: told });
    }
    return claims;
  } catch (thrown) {
    // The other instance is on its way out: what is free must be free for the next attempt.
    await Promise.all(opened.map((one) => one.close()));
    throw thrown;
  }
}

await runService({
  service: ({ device = "" }) => {
    const [first = "", ...others] = device.split(",");
    return others.length === 0 ? `driver-${first}` : `drivers-${first}`;
  },
  env: process.env,
  build: async (context) => {
    const { config: cell, args, boot, newId, log } = context;
    const claims = await claimAll(context, devicesOf(cell, args.device));
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
