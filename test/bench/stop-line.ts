/**
 * A thousand stops on a real paced line with a dead unit, at random moments.
 *
 * The idea: simulator and bus as processes on a pseudo-terminal, eight clients that poll without
 * pause, write now and then and order a stop together; each stop is timed from the order at the
 * clients to the last stop frame that the simulator has heard, and the bus's own flight recorder
 * tells what was sent between. It refuses to touch a real port.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeSingle } from "#drivers/pdu.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { planBus } from "#kernel/config/wire-plan.js";
import { type BusRecord, busRecordSchema } from "#kernel/contract/frame-record.js";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { recorderDir, segmentFiles } from "#kernel/edge/record-files.js";
import type { FieldLink, Log } from "#kernel/ports.js";
import { LineRig, monotonicMs, sleep, unitsAll, until } from "./line-rig.js";

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const dead = 8;
const pulseMs = 100;
/** Control word "stop by ramp" of an ABB drive [devices.md 6.1], and a reference to write. */
const stopFrame = writeSingle(0, 0x047b);
const referenceAddress = 1;

export interface LineStops {
  readonly stops: number;
  readonly inBound: number;
  readonly strangers: number;
  readonly startsAfterStop: number;
  readonly violations: number;
}

interface Order {
  readonly atMs: number;
  readonly endMs: number;
}

export async function lineStops(
  { baud, stops }: { readonly baud: number; readonly stops: number },
  say: (line: string) => void,
): Promise<LineStops> {
  const rig = new LineRig(baud);
  const clients = new Map<number, FieldLink>();
  const written: { readonly value: number; readonly unit: number; readonly atMs: number }[] = [];
  let going = true;
  const pulse = setInterval(() => {
    for (const link of clients.values()) link.pulse({ still: false, connectedDevice: true });
  }, pulseMs);
  try {
    await rig.start();
    await rig.silence([dead]);
    await rig.poll(unitsAll);
    for (const unit of unitsAll) {
      const place = { runDir: rig.runDir, bus: "rail", unit, device: `a${unit}`, log: quiet };
      const link = openFieldLink(place);
      clients.set(unit, link);
      await until(() => link.connected);
    }
    const write = async (unit: number, link: FieldLink) => {
      while (going) {
        await sleep(20 + 200 * Math.random());
        const value = written.length & 0xffff;
        written.push({ value, unit, atMs: monotonicMs() });
        await link.exchange("command", writeSingle(referenceAddress, value));
      }
    };
    for (const [unit, link] of clients) void write(unit, link);
    await sleep(2000);
    const orders: Order[] = [];
    for (let i = 0; i < stops; i += 1) {
      await sleep(20 + 80 * Math.random());
      const atMs = monotonicMs();
      await Promise.all([...clients.values()].map((link) => link.exchange("stop", stopFrame)));
      orders.push({ atMs, endMs: monotonicMs() });
    }
    going = false;
    await sleep(300);
    const { violations } = await rig.line();
    return judge(rig, orders, { written, violations, baud, say });
  } finally {
    going = false;
    clearInterval(pulse);
    await Promise.all([...clients.values()].map((link) => link.close()));
    await rig.close();
  }
}

interface Facts {
  readonly written: readonly { value: number; unit: number; atMs: number }[];
  readonly violations: number;
  readonly baud: number;
  readonly say: (line: string) => void;
}

function judge(rig: LineRig, orders: readonly Order[], facts: Facts): LineStops {
  const boundMs = boundOf(rig.cellFile);
  const frames = rig.frames(0, Number.POSITIVE_INFINITY);
  const stopHex = Buffer.from(stopFrame).toString("hex");
  let inBound = 0;
  let startsAfterStop = 0;
  const times: number[] = [];
  for (const { atMs, endMs } of orders) {
    const own = frames.filter(({ tMs }) => tMs >= atMs && tMs <= endMs);
    const firsts = new Map<number, number>();
    for (const { unit, pdu, tMs } of own) {
      if (pdu === stopHex && !firsts.has(unit)) firsts.set(unit, tMs);
    }
    const lastMs = Math.max(...firsts.values()) - atMs;
    const whole = unitsAll.every((unit) => firsts.has(unit));
    if (whole && lastMs <= boundMs) inBound += 1;
    times.push(whole ? lastMs : Number.POSITIVE_INFINITY);
    for (const one of facts.written.filter((w) => w.atMs < atMs && w.atMs > atMs - 2000)) {
      const start = Buffer.from(writeSingle(referenceAddress, one.value)).toString("hex");
      const after = firsts.get(one.unit) ?? Number.POSITIVE_INFINITY;
      const late = frames.some((f) => f.unit === one.unit && f.pdu === start && f.tMs > after);
      if (late) startsAfterStop += 1;
    }
  }
  const strangers = strangersOf(recordsOf(rig), orders.length);
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(0);
  facts.say(
    `line, ${facts.baud} baud, 8 axes, 1 dead: ${inBound} of ${orders.length} stops within ` +
      `${boundMs.toFixed(0)} ms; p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms; ` +
      `${strangers} other frames between order and last stop frame, ${startsAfterStop} starts ` +
      `after a stop, ${facts.violations} gaps below t3.5`,
  );
  const { violations } = facts;
  return { stops: orders.length, inBound, strangers, startsAfterStop, violations };
}

function boundOf(cellFile: string): number {
  const cell = loadCell(cellFile, { simulated: true });
  if (!cell.ok) throw new Error(cell.problems.map((one) => one.message).join("; "));
  const [bus] = cell.value.buses;
  return bus === undefined ? 0 : planBus(bus, cell.value.devices).stop.boundMs;
}

function recordsOf(rig: LineRig): readonly BusRecord[] {
  const files = segmentFiles(recorderDir(join(rig.dir, "data")), "rail");
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => busRecordSchema.parse(JSON.parse(line))),
  );
}

/** Frames of other lanes that began between the first stop of an order and the last unit's. */
function strangersOf(records: readonly BusRecord[], orders: number): number {
  const began = records.filter((one) => one.kind === "decision" && one.what === "stop-began");
  const frames = records.filter((one) => one.kind === "frame").sort((a, b) => a.tMs - b.tMs);
  let strangers = 0;
  let rounds = 0;
  let fromMs = Number.NEGATIVE_INFINITY;
  for (const start of began) {
    if (start.kind === "head" || start.tMs <= fromMs) continue;
    const left = new Set(unitsAll);
    let others = 0;
    for (const frame of frames) {
      if (frame.tMs < start.tMs || left.size === 0) continue;
      if (frame.lane === "stop") left.delete(frame.unit);
      else others += 1;
      fromMs = frame.tMs;
    }
    if (left.size > 0) break;
    rounds += 1;
    strangers += others;
  }
  if (rounds < orders) throw new Error(`the recorder has ${rounds} of ${orders} stops`);
  return strangers;
}
