/**
 * A recording of a bus, as the flight recorder and the tap write it: who answered what.
 *
 * The idea: a small reader of its own, one JSON object a line, for the bus service's records and
 * for the simulator's tap alike; lines of other kinds are passed over, the last line may be torn.
 * It refuses a file in which nobody is asked anything.
 */
import { readFileSync } from "node:fs";
import { SimProblem } from "./problem.js";
import { type LineFormat, lineFormats } from "./rtu.js";

export interface RecordedExchange {
  readonly request: Uint8Array;
  /** Absent: there was no answer. */
  readonly reply?: Uint8Array;
  /** When it was asked, ms of the recorder's clock; absent: the file does not say. */
  readonly tMs?: number;
  /** The lane that it came on, where the file says. */
  readonly lane?: string;
}

export interface RecordedUnit {
  readonly unit: number;
  /** Of the head; else made up. */
  readonly device: string;
  readonly profile: string;
  readonly exchanges: readonly RecordedExchange[];
}

export interface Recording {
  readonly units: readonly RecordedUnit[];
  /** Where the recorded bus was a line. */
  readonly line?: { readonly baud: number; readonly format: LineFormat };
}

/** Between the first and the last frame; a recorder's file of a bus is far shorter. */
export const recordingMsMax = 24 * 3_600_000;

type Line = Readonly<Record<string, unknown>>;

/** @throws SimProblem */
export function readRecording(file: string): Recording {
  const lines = linesOf(file);
  const head = lines.find((line) => line.kind === "head");
  const byUnit = new Map<number, RecordedExchange[]>();
  for (const line of lines) {
    const exchange = exchangeOf(line);
    if (exchange === undefined || typeof line.unit !== "number" || line.unit === 0) continue;
    const known = byUnit.get(line.unit);
    if (known === undefined) byUnit.set(line.unit, [exchange]);
    else known.push(exchange);
  }
  if (byUnit.size === 0) throw new SimProblem(`${file} holds no frames of a bus.`);
  const times = [...byUnit.values()].flat().map(({ tMs }) => tMs ?? 0);
  const [first, last] = times.reduce(
    ([least, most], tMs) => [Math.min(least, tMs), Math.max(most, tMs)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  if (last - first > recordingMsMax) {
    throw new SimProblem(`${file}: its frames lie more than a day apart; a time is spoiled.`);
  }
  const units = [...byUnit].map(([unit, exchanges]) => ({
    unit,
    exchanges,
    ...nameOf(head, unit),
  }));
  const line = lineOf(head);
  return { units, ...(line === undefined ? {} : { line }) };
}

function linesOf(file: string): readonly Line[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SimProblem(`${file} cannot be read: ${why}`, { cause });
  }
  return text.split("\n").flatMap((one) => {
    try {
      const line: unknown = JSON.parse(one);
      return typeof line === "object" && line !== null ? [line as Line] : [];
    } catch {
      // Empty, or torn when the recorder ended.
      return [];
    }
  });
}

/** A frame of the recorder (`request`) or of the simulator's tap (`pdu`). */
function exchangeOf(line: Line): RecordedExchange | undefined {
  const request = bytesOf(line.request ?? line.pdu);
  if (request === undefined) return undefined;
  const { outcome } = line;
  // What never left, or came back broken, says nothing about the device.
  if (outcome !== undefined && outcome !== "reply" && outcome !== "timeout") return undefined;
  const reply = bytesOf(line.reply);
  return {
    request,
    ...(reply !== undefined && { reply }),
    ...(typeof line.tMs === "number" && Number.isFinite(line.tMs) && { tMs: line.tMs }),
    ...(typeof line.lane === "string" && { lane: line.lane }),
  };
}

function bytesOf(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string" || !/^([0-9a-f]{2})+$/.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function nameOf(head: Line | undefined, unit: number) {
  const units = head?.units as Readonly<Record<string, Line>> | undefined;
  const { device, profile } = units?.[String(unit)] ?? {};
  return {
    device: typeof device === "string" ? device : `unit${unit}`,
    profile: typeof profile === "string" ? profile : "recorded",
  };
}

function lineOf(head: Line | undefined) {
  const found = /(\d+) (8[NEO][12])$/.exec(typeof head?.link === "string" ? head.link : "");
  const format = lineFormats.find((one) => one === found?.[2]);
  return format === undefined ? undefined : { baud: Number(found?.[1]), format };
}
