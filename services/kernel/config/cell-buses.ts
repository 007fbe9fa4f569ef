/**
 * The buses of a cell file: TCP endpoints, RTU frames over TCP, and serial lines.
 *
 * The idea: a bus is one thing and says all that its kind needs; what the units on it ask of the
 * wire comes from their profiles. A serial path is absolute, because a relative one would mean
 * another port in another folder. It refuses two buses on one wire, also when a link hides it.
 */
import type { Profile } from "#drivers/profile.js";
import {
  frameMs,
  frameMsMax,
  type LineSpeed,
  readReplyBytes,
  readRequestBytes,
  silenceMs,
  turnaroundMsDefault,
} from "#drivers/wire-time.js";
import { lineSpeed } from "./bus-link.js";
import type { BusConfig, BusLink, SerialFormat, UnitTiming } from "./cell.js";
import type { DeviceDraft } from "./cell-devices.js";
import { parseEndpoint } from "./endpoints.js";
import type { Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import { stopWindowMs } from "./wire-plan.js";

const replyTimeoutMsDefault = 200;
/** The bus must answer before the driver's own timeout of 2 s, one retry of the link included. */
const replyTimeoutMsMax = 900;
/** A unit on a line whose profile does not say more begins its reply by then [PROTOCOL 9]. */
export const firstByteMsDefault = 50;
/** Speeds that adapters and drives share; another one is a slip of the finger. */
const bauds = [
  1200, 2400, 4800, 9600, 14_400, 19_200, 28_800, 38_400, 57_600, 76_800, 115_200, 128_000, 230_400,
  250_000, 256_000, 460_800, 500_000, 576_000, 921_600, 1_000_000,
] as const;

/** The path behind all links, where there is such a file. */
export type RealPath = (path: string) => string | undefined;

/** The buses with no units yet; `cell-devices` does not need to be right for this. */
export function resolveBuses(read: FileReader, realPath: RealPath): readonly BusConfig[] {
  const buses: BusConfig[] = [];
  const owners = new Map<string, string>();
  for (const id of read.keys(["buses"])) {
    const path = ["buses", id];
    const replyTimeoutMs = read.quantity([...path, "replyTimeout"], {
      unit: "ms",
      fallback: replyTimeoutMsDefault,
      min: 10,
      max: replyTimeoutMsMax,
    });
    const link = linkOf(read, path);
    if (link === undefined || replyTimeoutMs === undefined) continue;
    const wire = wireOf(link, realPath);
    const owner = owners.get(wire);
    if (owner !== undefined) {
      const serial = link.kind === "serial";
      const text = `bus ${owner} owns this ${serial ? "port" : "endpoint"} already`;
      const value = serial && wire !== link.path ? { value: `${link.path}, which is ${wire}` } : {};
      read.problems.at([...path, serial ? "serial" : "tcp"], text, value);
    }
    owners.set(wire, owner ?? id);
    const pollPort = read.whole([...path, "pollPort"]);
    const lane = pollPort === undefined ? {} : { pollPort };
    buses.push({ id, link, units: [], ...lane, replyTimeoutMs });
  }
  return buses;
}

/** What names the wire itself: two buses with the same are one (ST-03). */
function wireOf(link: BusLink, realPath: RealPath): string {
  if (link.kind === "serial") return realPath(link.path) ?? link.path;
  return `${link.host}:${link.port}`;
}

const serialOnly = ["baud", "format", "echo"] as const;

function linkOf(read: FileReader, path: Path): BusLink | undefined {
  const tcp = read.raw([...path, "tcp"]);
  const serial = read.raw([...path, "serial"]);
  if ((tcp === undefined) === (serial === undefined)) {
    const text = "a bus is either tcp: host:port or serial: /dev/serial/by-id/…";
    return read.problems.at(path, text, { key: true });
  }
  if (serial !== undefined) return serialOf(read, path);
  let good = true;
  for (const name of serialOnly) {
    if (read.raw([...path, name]) === undefined) continue;
    good = false;
    const text = `a TCP bus has no ${name}; the gateway has its own`;
    read.problems.at([...path, name], text, { key: true });
  }
  const written = read.text([...path, "tcp"]);
  if (written === undefined || !good) return undefined;
  const endpoint = parseEndpoint(written);
  if (endpoint === undefined) {
    const suggestion = "such as 192.168.10.21:502";
    return read.problems.at([...path, "tcp"], "an endpoint is host:port", { suggestion });
  }
  const rtu = read.raw([...path, "framing"]) === "rtu";
  return { kind: rtu ? "rtuOverTcp" : "tcp", ...endpoint };
}

function serialOf(read: FileReader, path: Path): BusLink | undefined {
  const file = read.text([...path, "serial"]);
  if (read.raw([...path, "framing"]) !== undefined) {
    read.problems.at([...path, "framing"], "a serial line is RTU; framing is for tcp", {
      key: true,
    });
  }
  const baud = baudOf(read, [...path, "baud"]);
  if (file === undefined || baud === undefined) return undefined;
  if (!file.startsWith("/")) {
    return read.problems.at([...path, "serial"], "a serial port is an absolute path", {
      suggestion: "such as /dev/serial/by-id/usb-…; a relative one depends on the folder",
    });
  }
  const format = formatOf(read.text([...path, "format"]));
  return format && { kind: "serial", path: file, baud, format, echo: echoOf(read, path) };
}

function echoOf(read: FileReader, path: Path): boolean {
  return read.raw([...path, "echo"]) === true;
}

/** Undefined: the schema has refused it already. */
function formatOf(written: string | undefined): SerialFormat | undefined {
  if (written === undefined) return "8E1";
  return (["8N1", "8N2", "8E1", "8O1"] as const).find((one) => one === written);
}

function baudOf(read: FileReader, path: Path): number | undefined {
  const baud = read.whole(path);
  if (read.raw(path) === undefined) {
    return read.problems.at(path, "baud is missing: how fast does the line run?", {
      suggestion: "baud: 19200, as it is set on the drives",
    });
  }
  if (baud === undefined) return undefined;
  if (bauds.some((one) => one === baud)) return baud;
  const near = bauds.reduce((a, b) => (Math.abs(b - baud) < Math.abs(a - baud) ? b : a));
  return read.problems.at(path, "no adapter and no drive runs at this speed", {
    suggestion: `did you mean ${near}?`,
  });
}

/** The buses with what their units ask of the wire, checked against what it can do. */
export function withUnits(
  read: FileReader,
  buses: readonly BusConfig[],
  devices: readonly DeviceDraft[],
): readonly BusConfig[] {
  return buses.map((bus) => {
    const drafts = devices.filter(({ id }) => read.text(["devices", id, "bus"]) === bus.id);
    const units = new Map<number, UnitTiming>();
    for (const { id, profile } of drafts) {
      const unit = read.whole(["devices", id, "unit"]);
      if (unit === undefined) continue;
      checkUnit(read, bus, { id, unit });
      if (profile === undefined) continue;
      units.set(unit, timingOf(bus, unit, profile));
      checkSpeed(read, bus, { id, profile, axes: drafts.length });
    }
    const sorted = [...units.values()].sort((a, b) => a.unit - b.unit);
    checkReplyTimeout(read, bus, sorted);
    return { ...bus, units: sorted };
  });
}

/** 0 is everybody on a line and an ordinary unit over TCP, where 255 means the device itself. */
function checkUnit(
  read: FileReader,
  bus: BusConfig,
  { id, unit }: { readonly id: string; readonly unit: number },
): void {
  const path = ["devices", id, "unit"];
  const value = { value: String(unit) };
  if (bus.link.kind === "tcp") {
    if (unit > 247 && unit < 255) read.problems.at(path, "a unit is 0 to 247, or 255", value);
  } else if (unit < 1 || unit > 247) {
    const text = unit === 0 ? "unit 0 is everybody on a line" : "a unit on a line is 1 to 247";
    read.problems.at(path, text, { ...value, suggestion: "a unit of 1 to 247" });
  }
}

function timingOf({ link, replyTimeoutMs }: BusConfig, unit: number, profile: Profile): UnitTiming {
  const { timing, broadcast, exceptions } = profile.transport;
  const { functionBytes } = exceptions;
  const baud = link.kind === "serial" ? String(link.baud) : "";
  const line = link.kind !== "tcp";
  return {
    unit,
    silenceMs: Math.max(
      timing.silenceBeforeMs ?? 0,
      timing.silenceAfterMs ?? 0,
      timing.byBaud?.[baud]?.silenceMs ?? 0,
    ),
    afterWriteMs: timing.afterWriteMs ?? 0,
    firstByteMs: timing.firstByteMs ?? (line ? firstByteMsDefault : replyTimeoutMs),
    turnaroundMs: timing.replyMs ?? (line ? turnaroundMsDefault : 0),
    broadcast,
    ...(functionBytes.length === 0 ? {} : { functionBytes }),
  };
}

interface OnLine {
  readonly id: string;
  readonly profile: Profile;
  /** Devices on the line. */
  readonly axes: number;
}

function checkSpeed(read: FileReader, bus: BusConfig, { id, profile, axes }: OnLine): void {
  const { link } = bus;
  if (link.kind !== "serial") return;
  const { serial, limits } = profile.transport;
  const speed = lineSpeed(link);
  const at = ["devices", id, "bus"];
  const runs = `the line runs at ${link.baud} ${link.format}`;
  const factory = [serial?.baud, serial?.format].filter((one) => one !== undefined).join(" ");
  const slow = profile.refresh.find(({ baudMin }) => baudMin !== undefined && link.baud < baudMin);
  const boundMs = lineBoundMs(speed, axes);
  const late = profile.refresh.find(({ everyMs, deadlineMs }) => everyMs + boundMs > deadlineMs);
  // The shortest read of a device must fit into what the planner may use of the line.
  const shortest = frameMs(speed, readReplyBytes + 2 * Math.min(2, limits.readRegisters));
  if (slow !== undefined) {
    const text = `${id} must have its ${slow.operation} repeated, from ${slow.baudMin} baud on`;
    // Where the device is told apart from its bus: a second problem of one value is not noted.
    read.problems.at(["devices", id, "profile"], `${text}; ${runs}`);
  } else if (late !== undefined) {
    const worst = `every ${late.everyMs} ms and up to ${Math.ceil(boundMs)} ms of waiting`;
    const text = `${id} wants its ${late.operation} again within ${late.deadlineMs} ms`;
    read.problems.at(at, `${text}, which ${bus.id} cannot keep: ${worst}`);
  } else if (shortest > frameMsMax) {
    read.problems.at(at, `${bus.id} is too slow: a value takes ${Math.ceil(shortest)} ms`);
  } else if (differs(serial?.baud, link.baud) || differs(serial?.format, link.format)) {
    const text = `${id} leaves its factory at ${factory}; ${runs}: set it so on the device`;
    read.problems.at(at, text, { severity: "warning" });
  }
}

function differs<T>(factory: T | undefined, line: T): boolean {
  return factory !== undefined && factory !== line;
}

/** What a frame waits at most before it leaves: the rule of PROTOCOL 9, one exchange an axis. */
function lineBoundMs(line: LineSpeed, axes: number): number {
  const exchange = frameMs(line, readRequestBytes) * 2 + firstByteMsDefault;
  const window = axes > 1 ? stopWindowMs : 0;
  return Math.max(frameMsMax, firstByteMsDefault) + silenceMs(line) + window + axes * exchange;
}

/** A wait that ends before a slow unit has begun to answer would never see it answer (ST-07). */
function checkReplyTimeout(read: FileReader, bus: BusConfig, units: readonly UnitTiming[]): void {
  if (bus.link.kind === "tcp") return;
  const path = ["buses", bus.id, "replyTimeout"];
  const slowest = units.reduce((most, unit) => Math.max(most, unit.firstByteMs), 0);
  const needed = slowest + frameMsMax;
  if (bus.replyTimeoutMs >= needed) return;
  const who = units.find((unit) => unit.firstByteMs === slowest)?.unit;
  const text = `replyTimeout ends before a reply of unit ${who} can be there`;
  const at = read.raw(path) === undefined ? ["buses", bus.id] : path;
  const suggestion = `at least ${needed} ms: ${slowest} ms to begin, ${frameMsMax} ms to end`;
  read.problems.at(at, text, { suggestion, value: `${bus.replyTimeoutMs} ms` });
}
