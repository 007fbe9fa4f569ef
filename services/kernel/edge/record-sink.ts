/**
 * The flight recorder of a bus as the bus service opens it: files and live tap behind one sink.
 *
 * The idea: what the service records goes to both; the head says what bus it was and which device
 * has which unit. It refuses to fail the service: without a tap socket the files go on.
 */
import { linkText } from "../config/bus-link.js";
import type { BusConfig, DeviceConfig } from "../config/cell.js";
import type { BusRecord, RecordHead } from "../contract/frame-record.js";
import type { Log } from "../ports.js";
import { busTapPath } from "../run-dir.js";
import { RecordFiles } from "./record-files.js";
import { RecordTap } from "./record-tap.js";

export interface RecordSinkOptions {
  readonly dataDir: string;
  readonly runDir: string;
  readonly bus: BusConfig;
  readonly devices: readonly DeviceConfig[];
  readonly bootId: string;
  readonly log: Log;
}

export interface OpenedSink {
  take(record: BusRecord): void;
  close(): Promise<void>;
}

export function recordHead(
  { id, link }: BusConfig,
  devices: readonly DeviceConfig[],
  bootId: string,
): RecordHead {
  const own = devices.filter(({ bus }) => bus === id);
  const units = Object.fromEntries(
    own.map((one) => [String(one.setup.unit), { device: one.id, profile: one.profile.id }]),
  );
  const epoch = new Date(Date.now() - performance.now()).toISOString();
  const kind = link.kind === "tcp" ? "tcp " : link.kind === "serial" ? "serial " : "";
  const text = `${kind}${linkText(link)}`;
  return { kind: "head", version: 1, bus: id, bootId, epoch, link: text, units };
}

export async function openRecordSink(options: RecordSinkOptions): Promise<OpenedSink> {
  const { dataDir, runDir, bus, devices, bootId, log } = options;
  const head = recordHead(bus, devices, bootId);
  const files = new RecordFiles({ dataDir, bus: bus.id, head, log });
  const tap = new RecordTap(head);
  try {
    await tap.open(busTapPath(runDir, bus.id));
  } catch (error) {
    log.warn({ bus: bus.id, error }, "there is no live tap of this bus");
  }
  return {
    take: (record) => {
      files.take(record);
      tap.take(record);
    },
    close: async () => {
      await tap.close();
      await files.close();
    },
  };
}
