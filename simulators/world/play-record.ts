/**
 * Plays a flight recording as a seed is played: the drivers see again what they saw that day.
 *
 * The idea: devices answer at each moment what the recording shows of that moment, the real bus and
 * driver apps read them on virtual time, and the writes of that day stand in the trace beside what
 * the drivers say now. Nobody commands anything: the day is over. It refuses to guess what the
 * recording does not hold: such a reading is bad, and says so.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { TraceLine } from "../judges/trace.js";
import { recordedHistory } from "../recorded-history.js";
import type { RecordedUnit } from "../recording.js";
import { CellWorld, type WorldParts } from "./cell-world.js";

export interface RecordOptions {
  readonly cell: CellConfig;
  readonly parts: WorldParts;
  readonly units: readonly RecordedUnit[];
}

export interface PlayedRecord {
  readonly trace: readonly TraceLine[];
  readonly virtualMs: number;
  /** Devices of the cell that the recording does not hold; they are left out. */
  readonly missing: readonly string[];
}

/** Before the first recorded frame, ms: services come up. */
const leadMs = 1500;
/** Nobody commands: the day is over. */
const commanding: ReadonlySet<string> = new Set(["coordinator", "gateway"]);
/** After the last one, ms. */
const tailMs = 500;

/** Call it from a fresh macrotask. */
export function playRecord({ cell, parts, units }: RecordOptions): PlayedRecord {
  const byUnit = new Map(units.map((unit) => [unit.unit, unit]));
  const held = cell.devices.filter(({ setup }) => byUnit.has(setup.unit));
  const times = units.flatMap(({ exchanges }) => exchanges.map(({ tMs }) => tMs ?? 0));
  const firstMs = Math.min(...times);
  const lastMs = Math.max(...times);
  const part: CellConfig = { ...cell, devices: held, interlocks: [], sagas: [], rules: [] };
  const makeDevice = (id: string) => {
    const unit = held.find((device) => device.id === id)?.setup.unit ?? -1;
    const recorded = byUnit.get(unit);
    if (recorded === undefined) throw new RangeError(`${id} is not in the recording`);
    return recordedHistory({ ...recorded, device: id }, firstMs - leadMs);
  };
  const world = new CellWorld(1, part, { ...parts, makeDevice });
  const restore = world.install();
  try {
    for (const name of world.names.filter((one) => !commanding.has(one))) world.start(name);
    for (const device of held) tellWrites(world, device.id, byUnit.get(device.setup.unit), firstMs);
    world.clock.run(leadMs + lastMs - firstMs + tailMs);
  } finally {
    restore();
  }
  const missing = cell.devices.filter((device) => !held.includes(device)).map(({ id }) => id);
  return { trace: world.trace, virtualMs: world.clock.nowMs, missing };
}

function tellWrites(
  world: CellWorld,
  device: string,
  recorded: RecordedUnit | undefined,
  firstMs: number,
): void {
  for (const { request, reply, tMs = firstMs, lane } of recorded?.exchanges ?? []) {
    if ((request[0] ?? 0) <= 4) continue;
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    const answer = reply === undefined ? "no reply" : `reply ${hex(reply)}`;
    const text = `recorded: ${device} was written ${hex(request)} (${lane ?? "lane unknown"}), ${answer}`;
    world.clock.schedule(leadMs + tMs - firstMs, () => world.note(text, { device }), "world");
  }
}
