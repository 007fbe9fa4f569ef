/**
 * The process of the bus service: one per serial line, and one for all TCP endpoints of a cell.
 *
 * The idea: wires only. `--bus ID` owns one line, so that nobody else's work stands between two
 * of its frames; without it the process owns every endpoint, RTU frames over TCP included. The
 * lane sockets are opened first, because they are what a second bus service is refused by. It
 * refuses a bus that is not a line of the cell.
 */
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import { openWire } from "#kernel/edge/bus-wire.js";
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { openMqttLink } from "#kernel/edge/mqtt-link.js";
import { runService } from "#kernel/edge/process.js";
import { openRecordSink } from "#kernel/edge/record-sink.js";
import { ServocellError } from "#kernel/errors.js";
import type { Wire } from "#kernel/ports.js";
import { buildBus } from "./app.js";
import type { RecordSink } from "./recorder.js";

/** @throws NOT_FOUND when the cell has no such line. */
function ownBuses({ buses, file }: CellConfig, line: string | undefined): readonly BusConfig[] {
  if (line === undefined) return buses.filter(({ link }) => link.kind !== "serial");
  const own = buses.filter(({ id, link }) => id === line && link.kind === "serial");
  if (own.length > 0) return own;
  throw new ServocellError("NOT_FOUND", `${file} has no serial line ${line}.`);
}

await runService({
  service: ({ bus }) => (bus === undefined ? "bus" : `bus-${bus}`),
  env: process.env,
  build: async ({ config, args, boot, newId, log }) => {
    const { runDir, dataDir, broker, prefix, cell, devices } = config;
    const buses = ownBuses(config, args.bus);
    const lanes = await openLaneServer({ runDir, buses, log });
    const wires = new Map<string, Wire>();
    const records = new Map<string, RecordSink>();
    const place = { runDir, dataDir, devices, bootId: boot.bootId, log };
    for (const bus of buses) {
      wires.set(bus.id, await openWire(bus, log));
      records.set(bus.id, await openRecordSink({ ...place, bus }));
    }
    const main = openMqttLink({
      url: broker.kind === "external" ? broker.url : `mqtt://${broker.host}:${broker.port}`,
      clientId: boot.service,
      prefix: `${prefix}/${cell}`,
      will: boot,
      newId,
      log,
    });
    return buildBus({ wires, lanes, main, log, boot, newId, records }, { ...config, buses });
  },
});
