/**
 * What each driver of a process holds alone in the whole cell: its stop socket and its store.
 *
 * The idea: the sockets of all first, so that every device can be stopped before anything else is
 * ready; then the stores, whose locks say whether another instance lives. It refuses to keep some:
 * all of them or none, so that the next attempt finds what is free.
 */
import type { DeviceConfig } from "../config/cell.js";
import type { Boot, Log, StopDoor, Store } from "../ports.js";
import { stopPath } from "../run-dir.js";
import type { ServiceContext } from "./process.js";
import { openStore } from "./sqlite-store.js";
import { openStopDoor } from "./stop-door.js";

/** What a driver holds alone in the whole cell. */
export interface Claim {
  readonly device: DeviceConfig;
  readonly boot: Boot;
  readonly log: Log;
  readonly door: StopDoor;
  readonly store: Store;
}

function withService(log: Log, driver: string): Log {
  return {
    debug: (fields, text) => log.debug({ driver, ...fields }, text),
    info: (fields, text) => log.info({ driver, ...fields }, text),
    warn: (fields, text) => log.warn({ driver, ...fields }, text),
    error: (fields, text) => log.error({ driver, ...fields }, text),
  };
}

/** @throws STORE_LOCKED when another instance of one of the drivers is alive. */
export async function openDriverClaims(
  { config, boot, newId, log, fail }: ServiceContext,
  devices: readonly DeviceConfig[],
  schema: readonly string[],
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
      const store = await openStore(`${dataDir}/${service}.db`, schema, { onDead: fail });
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
