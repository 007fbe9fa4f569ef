/**
 * The wire to a serial line, against a scripted raw peer on a pseudo-terminal.
 * The idea: what bytes must be to count as the reply, and what follows when they are not.
 */
import { afterEach, describe, expect, it } from "vitest";
import { openLineWire } from "#kernel/edge/line-wire.js";
import type { Log, Wire, WireResult } from "#kernel/ports.js";
import { bytesOf, LinePeer, pause, rtu } from "../../fixtures/line-peer.js";

const lines: { readonly level: string; readonly text: string }[] = [];
const say = (level: string) => (_fields: object, text: string) => {
  lines.push({ level, text });
};
const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };

const hex = (result: WireResult) =>
  result.kind === "reply"
    ? Buffer.from(result.pdu).toString("hex")
    : `${result.kind} ${result.why}`;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  lines.length = 0;
});

async function until(holds: () => boolean, what: string): Promise<void> {
  const byMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > byMs) throw new Error(`${what} did not come`);
    await pause(5);
  }
}

interface LineWish {
  readonly baud?: number;
  readonly format?: "8N1" | "8N2" | "8E1" | "8O1";
  readonly echo?: boolean;
}

async function line(
  script: (request: Buffer, peer: LinePeer) => void | Promise<void>,
  { baud = 115_200, format = "8E1", echo = false }: LineWish = {},
): Promise<{ readonly peer: LinePeer; readonly wire: Wire }> {
  const peer = new LinePeer(script);
  const link = { kind: "serial", path: peer.path, baud, format, echo } as const;
  const wire = openLineWire({ link, units: [], log });
  closers.push(
    () => wire.close(),
    () => peer.close(),
  );
  await until(() => wire.connected, "the line");
  return { peer, wire };
}

const read1 = bytesOf("03 0020 0001");
const write6 = bytesOf("06 0020 0003");
const ask = async (wire: Wire, pdu: Uint8Array = read1, unit = 1, timeoutMs = 300) =>
  hex(await wire.exchange(unit, pdu, { timeoutMs }));

describe("one request, one reply", () => {
  it.each(["8N1", "8N2", "8E1", "8O1"] as const)("format=%s: the reply's PDU", async (format) => {
    const { wire, peer } = await line((_, to) => to.write(rtu("01 03 02 1234")), { format });
    expect(await ask(wire)).toBe("03021234");
    expect(peer.heard.map((h) => h.hex).join("")).toBe(rtu("01 03 0020 0001").toString("hex"));
  });
});
