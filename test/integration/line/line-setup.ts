/**
 * A line with a scripted raw peer, for the tests of this folder.
 * The idea: opened and closed in one place. It refuses to judge.
 */

import type { UnitTiming } from "#kernel/config/cell.js";
import { openLineWire } from "#kernel/edge/line-wire.js";
import type { Log, Wire, WireResult } from "#kernel/ports.js";
import { bytesOf, LinePeer, pause } from "../../fixtures/line-peer.js";

export interface Said {
  readonly level: string;
  readonly text: string;
  readonly fields: { readonly [name: string]: unknown };
}

export const said: Said[] = [];
const say = (level: string) => (fields: object, text: string) => {
  said.push({ level, text, fields: { ...fields } });
};
export const log: Log = {
  debug: say("debug"),
  info: say("info"),
  warn: say("warn"),
  error: say("error"),
};

export const hex = (result: WireResult): string =>
  result.kind === "reply"
    ? Buffer.from(result.pdu).toString("hex")
    : `${result.kind} ${result.why}`;

export const closers: (() => Promise<void>)[] = [];
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0)) await close();
  said.length = 0;
}

export async function until(holds: () => boolean, what: string, maxMs = 10_000): Promise<void> {
  const byMs = performance.now() + maxMs;
  while (!holds()) {
    if (performance.now() > byMs) throw new Error(`${what} did not come`);
    await pause(5);
  }
}

export interface LineWish {
  readonly path?: string;
  readonly baud?: number;
  readonly format?: "8N1" | "8N2" | "8E1" | "8O1";
  readonly echo?: boolean;
  readonly units?: readonly UnitTiming[];
}

export function wireAt(path: string, wish: LineWish = {}): Wire {
  const { baud = 115_200, format = "8E1", echo = false, units = [] } = wish;
  const link = { kind: "serial", path, baud, format, echo } as const;
  const wire = openLineWire({ link, units, log });
  closers.push(() => wire.close());
  return wire;
}

export type Script = (request: Buffer, peer: LinePeer) => void | Promise<void>;

export async function line(
  script: Script,
  wish: LineWish = {},
): Promise<{ readonly peer: LinePeer; readonly wire: Wire }> {
  const peer = new LinePeer(script);
  const wire = wireAt(wish.path ?? peer.path, wish);
  closers.push(() => peer.close());
  await until(() => wire.connected, "the line");
  return { peer, wire };
}

export const read1 = bytesOf("03 0020 0001");
export const write6 = bytesOf("06 0020 0003");

/** One exchange as text. */
export async function ask(
  wire: Wire,
  pdu: Uint8Array = read1,
  unit = 1,
  timeoutMs = 1000,
  firstByteMs?: number,
): Promise<string> {
  const how = { timeoutMs, ...(firstByteMs !== undefined && { firstByteMs }) };
  return hex(await wire.exchange(unit, pdu, how));
}

export function unitTiming(unit: number, timing: Partial<UnitTiming> = {}): UnitTiming {
  return {
    unit,
    silenceMs: 0,
    afterWriteMs: 0,
    firstByteMs: 50,
    turnaroundMs: 1,
    broadcast: false,
    ...timing,
  };
}
