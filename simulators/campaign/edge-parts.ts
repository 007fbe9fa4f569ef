/**
 * What a world takes from the edge: SQLite, opossum, simulated devices, and by its depth much more.
 *
 * The idea: the world itself may not touch the edge, so what stands for it is put together here,
 * once, for campaigns and for tests. A seed may take the real framing of its buses, the real broker
 * and client, and real files under the same cell, the same faults and the same judges; each costs
 * time, so a share of the seeds takes each. It refuses real sockets and clocks.
 */
import "../world/world-globals.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import { openBreaker } from "#kernel/edge/opossum-breaker.js";
import type { Log } from "#kernel/ports.js";
import { coordinatorSchema } from "../../services/coordinator/schema.js";
import { driverSchema } from "../../services/driver/schema.js";
import { makeSimDevice } from "../device.js";
import type { WorldParts } from "../world/cell-world.js";
import { MemoryNetwork } from "../world/memory-socket.js";
import { RealBroker } from "./edge-mqtt.js";
import { FileStores } from "./edge-stores.js";
import { makeByteWire } from "./edge-wires.js";

/** How much of the real edge a world has under its services. */
export interface Depth {
  /** The framing of the buses: PDUs in memory, RTU on lines and bridges, Modbus TCP on sockets. */
  readonly bytes: "none" | "rtu" | "tcp";
  /** The broker and the links to it. */
  readonly mqtt: "memory" | "real";
  /** SQLite in memory, or on files that a killed service leaves behind as they are. */
  readonly store: "memory" | "file";
}

export const shallow: Depth = { bytes: "none", mqtt: "memory", store: "memory" };

export interface EdgeParts extends WorldParts {
  /** Removes what worlds have left on the disk. */
  readonly close: () => void;
}

/** That a packet of MQTT comes in pieces. */
const packetCut = 0.1;

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `say` gets each line of every service's log, for a person; absent: nobody reads them. */
export function edgeParts(
  cell: CellConfig,
  say?: (line: string) => void,
  depth: Depth = shallow,
): EdgeParts {
  const schemaOf = (service: string) =>
    service === "coordinator" ? coordinatorSchema : driverSchema;
  const files = depth.store === "file" ? new FileStores() : undefined;
  return {
    makeStore: (service) => {
      const schema = schemaOf(service);
      return files === undefined ? openMemoryStore(schema) : files.make(service, schema);
    },
    makeBreaker: ({ name, failures, resetMs }) => openBreaker({ device: name, failures, resetMs }),
    makeDevice: (id) => {
      const device = cell.devices.find((known) => known.id === id);
      if (device === undefined) throw new RangeError(`no device ${id}`);
      return makeSimDevice(device);
    },
    log: say === undefined ? () => silent : (node) => logTo(node, say),
    ...(depth.bytes !== "none" && { makeWire: makeByteWire }),
    ...(depth.mqtt === "real" && { makeBroker: realBroker }),
    ...(files !== undefined && { reopenStore: (service: string) => files.reopen(service) }),
    close: () => files?.close(),
  };
}

const realBroker: NonNullable<WorldParts["makeBroker"]> = (kit) => {
  const { clock, random, faults } = kit;
  // Delays are faults of the plan; over TCP nothing is lost or repeated by chance.
  const pipe = {
    cut: packetCut,
    get delayMaxMs() {
      return faults.delayMaxMs;
    },
  };
  return new RealBroker({ ...kit, network: new MemoryNetwork(clock, random, pipe) });
};

function logTo(node: string, say: (line: string) => void): Log {
  const write = (level: string) => (fields: object, text: string) => {
    const at = performance.now().toFixed(2).padStart(10);
    say(`${at} ${node} ${level} ${text} ${JSON.stringify(fields)}`);
  };
  return { debug: () => {}, info: write("info"), warn: write("warn"), error: write("error") };
}
