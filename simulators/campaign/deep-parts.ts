/**
 * What a world is given from the edge when it goes deeper than ports, by its depth.
 *
 * The idea: a seed may take the real framing of its buses, the real broker and client, and real
 * files under the same cell, the same faults and the same judges. Each costs time, so a share of
 * the seeds takes each, and who takes none loads none of these libraries (edge-parts.ts). It
 * refuses real sockets and clocks.
 */
import "../world/world-globals.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { coordinatorSchema } from "../../services/coordinator/schema.js";
import { driverSchema } from "../../services/driver/schema.js";
import type { WorldParts } from "../world/cell-world.js";
import { MemoryNetwork } from "../world/memory-socket.js";
import { RealBroker } from "./edge-mqtt.js";
import { edgeParts } from "./edge-parts.js";
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

export interface DeepParts extends WorldParts {
  /** Removes what worlds have left on the disk. */
  readonly close: () => void;
}

/** That a packet of MQTT comes in pieces. */
const packetCut = 0.1;

/** `say` gets each line of every service's log, for a person; absent: nobody reads them. */
export function deepParts(cell: CellConfig, depth: Depth, say?: (line: string) => void): DeepParts {
  const files = depth.store === "file" ? new FileStores() : undefined;
  const schemaOf = (service: string) =>
    service === "coordinator" ? coordinatorSchema : driverSchema;
  return {
    ...edgeParts(cell, say),
    ...(depth.bytes !== "none" && { makeWire: makeByteWire }),
    ...(depth.mqtt === "real" && { makeBroker: realBroker }),
    ...(files !== undefined && {
      makeStore: (service: string) => files.make(service, schemaOf(service)),
      reopenStore: (service: string) => files.reopen(service),
    }),
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
