/**
 * A recorded device, asked again.
 *
 * The idea: recordings written by hand as the recorder and the tap write them. It refuses the
 * recorder itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SimDevice } from "#simulators/modbus-device.js";
import { SimProblem } from "#simulators/problem.js";
import { recordedCell } from "#simulators/recorded-cell.js";
import { recordedDevice } from "#simulators/recorded-device.js";
import { readRecording } from "#simulators/recording.js";
import { startSim } from "#simulators/simulation.js";
import { RawClient } from "../../fixtures/simulators/modbus-client.js";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "servocell-recording-"));
  file = join(dir, "bus.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true }));

const head = {
  ...{ kind: "head", version: 1, bus: "rail", bootId: "b", epoch: "2026-01-01T00:00:00Z" },
  link: "serial /dev/ttyUSB0 38400 8N1",
  units: { 3: { device: "z", profile: "kinco/fd5p" } },
};
const frame = (request: string, reply?: string, more: object = {}) => ({
  ...{ kind: "frame", tMs: 1, tookMs: 5, unit: 3, lane: "poll", request },
  ...(reply === undefined ? { outcome: "timeout" } : { reply, outcome: "reply" }),
  ...more,
});

function record(...lines: object[]): void {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  // The last line is torn, as when the recorder is killed.
  writeFileSync(file, `${text}\n{"kind":"frame","tM`);
}

function device(...lines: object[]): SimDevice {
  record(head, ...lines);
  const [unit] = readRecording(file).units;
  return recordedDevice(unit ?? expect.fail("no unit"));
}

function ask(asked: SimDevice, request: string): string | undefined {
  const reply = asked.handle(Uint8Array.from(Buffer.from(request, "hex")), 1000);
  return reply === undefined ? undefined : Buffer.from(reply).toString("hex");
}

test("the same request gets the same replies in order, then the last for ever", () => {
  const one = device(
    frame("0300100002", "030400010002"),
    frame("0300100002"),
    frame("0300100002", "030400010005"),
  );
  const replies = Array.from({ length: 4 }, () => ask(one, "0300100002"));
  expect(replies).toEqual(["030400010002", undefined, "030400010005", "030400010005"]);
});

test("a read that was never made is put together, or exception 2", () => {
  const one = device(frame("0300100002", "030400010002"), frame("0300120001", "03020009"));
  expect(ask(one, "0300110002")).toBe("030400020009");
  expect(ask(one, "0300120002")).toBe("8302");
  expect(ask(one, "0400100001")).toBe("8402");
});

test("exceptions are learnt: of a read as it was made, of a write for every value", () => {
  const one = device(frame("0300990001", "8302"), frame("0600200001", "8603"));
  expect(ask(one, "0300990001")).toBe("8302");
  expect(ask(one, "0600200007")).toBe("8603");
});

test("a write is echoed where the address is known, and is read back", () => {
  const one = device(
    frame("0300100002", "030400010002"),
    frame("0600300001", "0600300001"),
    frame("10004000020400010002", "1000400002"),
  );
  expect(ask(one, "0600110077")).toBe("0600110077");
  expect(ask(one, "0300100002")).toBe("030400010077");
  expect(ask(one, "0600300009")).toBe("0600300009");
  expect(ask(one, "0300300001")).toBe("03020009");
  expect(ask(one, "10004000020400050006")).toBe("1000400002");
  expect(ask(one, "0300400002")).toBe("030400050006");
  expect(ask(one, "0600770001")).toBe("8602");
});

test("coils: read, written, and put together", () => {
  const one = device(frame("0100000009", "01020101"), frame("050003ff00", "050003ff00"));
  expect(ask(one, "0100000009")).toBe("01020101");
  expect(ask(one, "050001ff00")).toBe("050001ff00");
  expect(ask(one, "0100000002")).toBe("010103");
});

test("what never left and what came back broken says nothing", () => {
  const one = device(
    frame("0300100001", undefined, { outcome: "not-sent" }),
    frame("0300100001", undefined, { outcome: "malformed" }),
    frame("0300100001", "03020001"),
  );
  expect(ask(one, "0300100001")).toBe("03020001");
});

test("reboot begins the recording again and forgets what was written", () => {
  const one = device(frame("0300100001", "03020001"), frame("0300100001", "03020002"));
  ask(one, "0300100001");
  ask(one, "0600100009");
  one.setFault("reboot", 0, 1000);
  expect([ask(one, "0300100001"), ask(one, "0300100001")]).toEqual(["03020001", "03020002"]);
});

test("the recorded line keeps its speed; a real port is refused", () => {
  record(head, frame("0300100001", "03020001"));
  const serial = join(dir, "line.tty");
  expect(recordedCell({ file, serial }).buses).toEqual([
    { id: "recorded", kind: "line", baud: 38_400, format: "8N1", echo: false, path: serial },
  ]);
  expect(() => recordedCell({ file, serial: "/dev/ttyUSB0" })).toThrow(SimProblem);
  expect(() => recordedCell({ file, tcp: "nowhere" })).toThrow(SimProblem);
});

test.each(["", "no json at all", JSON.stringify(head)])(
  "a file without frames is refused",
  (text) => {
    writeFileSync(file, text);
    expect(() => readRecording(file)).toThrow(SimProblem);
  },
);

test("the simulator's own tap is a recording, too: served over TCP under its unit", async () => {
  record({ tMs: 1, wall: "x", bus: "b", unit: 7, pdu: "0300100001", reply: "03021234" });
  const sim = await startSim({ recorded: { file } });
  const master = await RawClient.connect(sim.ports.recorded ?? 0);
  expect(await master.ask(7, [3, 0, 0x10, 0, 1])).toEqual([3, 2, 0x12, 0x34]);
  expect(sim.state().unit7?.state).toBe("recorded");
  master.close();
  await sim.close();
});
