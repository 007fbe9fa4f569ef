/**
 * What a world takes from the edge: SQLite in memory, opossum, and simulated devices by profile.
 *
 * The idea: the world itself may not touch the edge, so what stands for it is put together here,
 * once, for its own main and for tests. It refuses real files, sockets and clocks.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import type { Log } from "#kernel/ports.js";
import { coordinatorSchema } from "../../services/coordinator/schema.js";
import { driverSchema } from "../../services/driver/schema.js";
import { makeSimDevice } from "../device.js";
import type { WorldParts } from "../world/cell-world.js";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `say` gets each line of every service's log, for a person; absent: nobody reads them. */
export function edgeParts(cell: CellConfig, say?: (line: string) => void): WorldParts {
  return {
    makeStore: (service) => {
      return openMemoryStore(service === "coordinator" ? coordinatorSchema : driverSchema);
    },
    makeBreaker: ({ name, failures, resetMs }) => openBreaker({ device: name, failures, resetMs }),
    makeDevice: (id) => {
      const device = cell.devices.find((known) => known.id === id);
      if (device === undefined) throw new RangeError(`no device ${id}`);
      return makeSimDevice(device);
    },
    log: say === undefined ? () => silent : (node) => logTo(node, say),
  };
}

function logTo(node: string, say: (line: string) => void): Log {
  const write = (level: string) => (fields: object, text: string) => {
    const at = performance.now().toFixed(2).padStart(10);
    say(`${at} ${node} ${level} ${text} ${JSON.stringify(fields)}`);
  };
  return { debug: () => {}, info: write("info"), warn: write("warn"), error: write("error") };
}
