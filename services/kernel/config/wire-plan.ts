/**
 * What the polls of a cell cost on each bus, and how long a stop may take there.
 *
 * The idea: every planned request has a price: its frames, the silences around them and the
 * device's own turnaround on a line; an exchange and the device's own time over TCP. The sum over
 * all devices, all axes leased, is what the bus must carry; the longest foreign exchange and one
 * stop for each axis is what a stop waits at most [PROTOCOL 9]. Pure arithmetic. It refuses
 * to guess in favour of the plan: where a bridge hides its line, the slowest likely one counts.
 */
import { compileDevice, setupProblems } from "#drivers/compile.js";
import type { DeviceModel, ReadRequest } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import type { Ms } from "#drivers/reading.js";
import {
  dataBytes,
  frameMs,
  frameMsMax,
  type LineSpeed,
  readReplyBytes,
  readRequestBytes,
  silenceMs,
} from "#drivers/wire-time.js";
import { lineSpeed } from "./bus-link.js";
import type { BusConfig, DeviceConfig, UnitTiming } from "./cell.js";

/** What an exchange over TCP is taken to last beside the device's own time. */
export const tcpExchangeMs: Ms = 2;
/** A stop without a reply by then goes over a new connection [PROTOCOL 9]. */
export const tcpStopReplyMs: Ms = 100;
/** What a new connection to a device on the same network is taken to last. */
export const tcpConnectMs: Ms = 60;
/** Requests of different units under way together (docs/adr/0003). */
export const tcpTogetherMax = 8;
/**
 * On a line nothing but stops is sent for so long after a stop frame, while another axis of the
 * line may move and has not had its own: an order reaches the last driver 5 to 8 ms after the
 * first [PROTOCOL 9].
 */
export const stopWindowMs: Ms = 10;
/** Unit and CRC around a PDU on a line. */
const frameBytesExtra = 3;
/** Unit, PDU and CRC of the acknowledgement of a write. */
const ackBytes = 8;
/** The line of a bridge whose units say nothing of their own. */
const bridgeDefault: LineSpeed = { baud: 19_200, bitsPerChar: 11 };

export interface PlannedRequest {
  readonly device: string;
  readonly group: "fast" | "slow";
  readonly request: ReadRequest;
  /** What one costs on the bus. */
  readonly costMs: Ms;
  /** How often it is asked with the axis leased. */
  readonly everyMs: Ms;
}

export interface StopBound {
  /** From the order until the last stop frame has left. */
  readonly boundMs: Ms;
  /** How it comes about, for people. */
  readonly text: string;
}

export interface BusPlan {
  readonly bus: string;
  /** The line that was reckoned with; absent over TCP. */
  readonly line?: LineSpeed;
  /** The speed is a likely one: the bridge's own is not in the file. */
  readonly assumed: boolean;
  readonly requests: readonly PlannedRequest[];
  /** One round of fast polls of all devices. */
  readonly cycleMs: Ms;
  /** Share of the bus's time that the plan takes; 1 is all of it. */
  readonly use: number;
  readonly stop: StopBound;
}

/** The line behind a bus; undefined over TCP. */
export function lineOf(bus: BusConfig, profiles: readonly Profile[]): LineSpeed | undefined {
  const { link } = bus;
  if (link.kind === "tcp") return undefined;
  if (link.kind === "serial") return lineSpeed(link);
  const factory = profiles.flatMap(({ transport }) => {
    const { baud, format = "8E1" } = transport.serial ?? {};
    return baud === undefined ? [] : [lineSpeed({ baud, format })];
  });
  return factory.sort((a, b) => a.baud - b.baud)[0] ?? bridgeDefault;
}

/** Tells each device the line that it hangs on, so that driver and plan read alike. */
export function onTheirLines(
  buses: readonly BusConfig[],
  devices: readonly DeviceConfig[],
): readonly DeviceConfig[] {
  return devices.map((device) => {
    const bus = buses.find(({ id }) => id === device.bus);
    const together = devices.filter((other) => other.bus === device.bus);
    const profiles = together.map(({ profile }) => profile);
    const wire = bus === undefined ? undefined : lineOf(bus, profiles);
    return wire === undefined ? device : { ...device, setup: { ...device.setup, wire } };
  });
}

/** The plan of one bus; `devices` are those on it, with their lines told. */
export function planBus(bus: BusConfig, devices: readonly DeviceConfig[]): BusPlan {
  const own = devices.filter((device) => device.bus === bus.id);
  const profiles = own.map(({ profile }) => profile);
  const line = lineOf(bus, profiles);
  const placed = own.flatMap((device): Placed[] => {
    const timing = bus.units.find(({ unit }) => unit === device.setup.unit);
    if (timing === undefined || setupProblems(device.profile, device.setup).length > 0) return [];
    return [{ device, timing, model: compileDevice(device.profile, device.setup) }];
  });
  const requests = placed.flatMap((one) => plannedOf(one, line));
  const together = line === undefined ? Math.min(tcpTogetherMax, Math.max(1, placed.length)) : 1;
  const sum = (of: readonly PlannedRequest[], what: (one: PlannedRequest) => number) =>
    of.reduce((total, one) => total + what(one), 0);
  const shared = sum(requests, ({ costMs, everyMs }) => costMs / everyMs) / together;
  // One device is asked one thing at a time, on whatever bus.
  const alone = placed.map(({ device: { id } }) => {
    const its = requests.filter(({ device }) => device === id);
    return sum(its, ({ costMs, everyMs }) => costMs / everyMs);
  });
  const fast = requests.filter(({ group }) => group === "fast");
  return {
    bus: bus.id,
    ...(line === undefined ? {} : { line }),
    assumed: bus.link.kind === "rtuOverTcp",
    requests,
    cycleMs: sum(fast, ({ costMs }) => costMs) / together,
    use: Math.max(0, shared, ...alone),
    stop: line === undefined ? tcpStop(placed) : lineStop(placed, line),
  };
}

interface Placed {
  readonly device: DeviceConfig;
  readonly timing: UnitTiming;
  readonly model: DeviceModel;
}

function plannedOf({ device, timing, model }: Placed, line: LineSpeed | undefined) {
  const planned = (group: "fast" | "slow", everyMs: Ms) => (request: ReadRequest) => {
    const reply = readReplyBytes + dataBytes(request.fc, request.count);
    const costMs =
      line === undefined
        ? tcpExchangeMs + timing.turnaroundMs
        : exchangeMs(line, timing, { request: readRequestBytes, reply });
    return { device: device.id, group, request, costMs, everyMs };
  };
  return [
    ...model.pollFast.map(planned("fast", device.pollFastMs)),
    ...model.pollSlow.map(planned("slow", device.pollSlowMs)),
  ];
}

/** Both frames, the silence after each that its follower waits for, and the turnaround. */
export function exchangeMs(
  line: LineSpeed,
  timing: Pick<UnitTiming, "silenceMs" | "turnaroundMs">,
  bytes: { readonly request: number; readonly reply: number },
): Ms {
  const silence = Math.max(silenceMs(line), timing.silenceMs);
  // A device answers no sooner than the silence that ends the request.
  const turnaround = Math.max(timing.turnaroundMs, silenceMs(line));
  return frameMs(line, bytes.request + bytes.reply) + turnaround + silence;
}

/** The frames of the stop that the guardian and an order send first. */
function stopFrames({ model }: Placed): readonly Uint8Array[] {
  const { controlled, fast } = model.stops;
  const frames = [controlled?.blind ?? [], fast?.blind ?? []];
  return frames.reduce((most, one) => (one.length > most.length ? one : most), []);
}

/** Whether anything can move there that must be stopped. */
function moves({ model }: Placed): boolean {
  return Object.keys(model.stops).length > 0;
}

/** What an axis takes of the line while the others wait: an answer at its limit, or none. */
function stopExchangeMs(one: Placed, line: LineSpeed): Ms {
  const { timing } = one;
  const frames = stopFrames(one);
  // Where no frame is good in every state, the stop reads its state first.
  const sent = frames.length === 0 ? [readRequestBytes] : [];
  const bytes = [...sent, ...frames.map((pdu) => pdu.length + frameBytesExtra)];
  const quiet = Math.max(silenceMs(line), timing.silenceMs);
  const after = Math.max(quiet, frames.length === 0 ? 0 : timing.afterWriteMs);
  return bytes.reduce((sum, request) => {
    return sum + frameMs(line, request + ackBytes) + timing.firstByteMs + after;
  }, 0);
}

function lineStop(placed: readonly Placed[], line: LineSpeed): StopBound {
  const axes = placed.filter(moves);
  const blocks = placed.flatMap(({ device }) =>
    Object.values(device.profile.blocks).map(({ fc, registers }) => {
      const head = fc === 23 ? 10 : 6;
      return frameMs(line, frameBytesExtra + head + dataBytes(fc === 15 ? 1 : 3, registers));
    }),
  );
  const frame = Math.max(frameMsMax, ...blocks);
  const first = Math.max(0, ...placed.map(({ timing }) => timing.firstByteMs));
  const quiet = Math.max(silenceMs(line), ...placed.map(({ timing }) => timing.silenceMs));
  const stops = axes.reduce((sum, one) => sum + stopExchangeMs(one, line), 0);
  // The last driver may hear of the order so long after the first, with the line idle meanwhile.
  const window = axes.length > 1 ? stopWindowMs : 0;
  const boundMs = Math.max(frame, first) + quiet + window + stops;
  const other = frame >= first ? `a frame of ${whole(frame)}` : `a first byte of ${whole(first)}`;
  const silences = `${quiet.toFixed(1)} ms of silence${window > 0 ? `, ${window} ms of order` : ""}`;
  const text = `${other}, ${silences}, ${axes.length} stops of ${whole(stops)}`;
  return { boundMs, text };
}

/** Stops go beside what is in flight, to all units together; one without a reply goes anew. */
function tcpStop(placed: readonly Placed[]): StopBound {
  const own = placed.filter(moves).map((one) => {
    const frames = Math.max(1, stopFrames(one).length);
    return (frames - 1) * (tcpExchangeMs + one.timing.turnaroundMs);
  });
  const boundMs = tcpStopReplyMs + tcpConnectMs + Math.max(0, ...own);
  const text = `${tcpStopReplyMs} ms without a reply, a new connection in ${tcpConnectMs} ms`;
  return { boundMs, text };
}

function whole(ms: Ms): string {
  return `${Math.ceil(ms)} ms`;
}
