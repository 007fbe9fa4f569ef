/**
 * A Kinco drive that is not ours: pymodbus stands in, the real services drive it.
 *
 * The idea: the peer was written from the register facts with another library, so a mistake that
 * profile and simulator share would show here. The bytes that reach it are compared with the
 * golden frames of the manual. It refuses our own simulator.
 */
// needs: pymodbus, pyserial
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CellFolder, CellProcess, freePorts, until } from "../fixtures/cell-process.js";
import { crc16 } from "../fixtures/crc.js";
import { stopFrame } from "../fixtures/stop-frames.js";

interface PeerLine {
  readonly tMs: number;
  readonly unit: number;
  readonly pdu: string;
}

let peer: ChildProcess;
let cell: CellProcess;
let log: string;

const cellFile = (device: number, broker: number, gateway: number) => `servocell: 1
cell: { name: peer, prefix: test/hil/peer }
broker: embedded
brokerPort: ${broker}
gateway: { host: 127.0.0.1, port: ${gateway} }
buses:
  gantry: { tcp: "127.0.0.1:${device}" }
devices:
  x:
    profile: kinco/fd5p
    bus: gantry
    unit: 1
    axis:
      kind: linear
      countsPerRev: 10000
      gear: "1:1"
      pitch: 5 mm
      travel: [0 mm, 200 mm]
      velocityMax: 100 mm/s
      accelerationMax: 500 mm/s2
      whenOff: stays
sagas: [there-and-back.yaml]
`;

const saga = `saga: there-and-back
title: Enable, home and move a drive that is not ours
steps:
  - { name: enable, do: x.enable, timeout: 10 s, makeSafe: still }
  - { name: home, do: x.home, timeout: 30 s, makeSafe: still }
  - name: there
    do: x.moveTo
    with: { position: 40 mm, velocity: 50 mm/s }
    timeout: 20 s
    makeSafe: still
  - name: back
    do: x.moveTo
    with: { position: 10 mm, velocity: 50 mm/s }
    timeout: 20 s
    makeSafe: still
  - { name: "off", do: x.disable, timeout: 10 s, makeSafe: still }
`;

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), "sc-peer-"));
  log = join(dir, "peer.jsonl");
  const script = join(process.cwd(), "test", "peers", "kinco_peer.py");
  const args = [script, "--port", "0", "--log", log, "--start", "20000"];
  peer = spawn("/usr/bin/python3", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  peer.stdout?.on("data", (data) => {
    text += data;
  });
  const port = await until("the peer printed its port", () => /(\d+)\n/.exec(text)?.[1]);
  const [broker, gateway] = await freePorts(2);
  const file = join(dir, "cell.yaml");
  writeFileSync(file, cellFile(Number(port), broker ?? 0, gateway ?? 0));
  writeFileSync(join(dir, "there-and-back.yaml"), saga);
  const folder: CellFolder = {
    dir,
    cellFile: file,
    dataDir: join(dir, "data"),
    tapFile: "",
    api: `http://127.0.0.1:${gateway}/api/v1`,
    brokerPort: broker ?? 0,
    pollPort: 0,
  };
  cell = new CellProcess(folder);
  await cell.ready(1);
}, 60_000);

afterAll(async () => {
  await cell?.close();
  peer?.kill("SIGTERM");
}, 30_000);

function received(): PeerLine[] {
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as PeerLine);
}

/** A golden RTU frame's PDU, its checksum proved first (devices.md 9). */
function golden(frame: string): string {
  const bytes = Buffer.from(frame.replaceAll(" ", ""), "hex");
  expect(crc16(bytes.subarray(0, -2))).toBe(bytes.readUInt16LE(bytes.length - 2));
  return bytes.subarray(1, -2).toString("hex");
}

test("Kinco peer: enabled, homed and moved twice by the real services", async () => {
  const run = await cell.run("there-and-back", 90_000);
  const record = await cell.get<object>(`/runs/${run.run}`);
  expect(run.state, JSON.stringify(record)).toBe("completed");
  const pdus = received().map((line) => line.pdu);
  expect(pdus).toContain(golden("01 03 32 00 00 02 CA B3"));
  expect(pdus).toContain(golden("01 06 31 00 00 0F C7 32"));
  // 40 mm at 2000 counts/mm is 80000 counts, low word first: 3880 0001.
  expect(pdus).toContain("10400000020438800001");
  // 10 mm is 20000 counts.
  expect(pdus).toContain("1040000002044e200000");
}, 120_000);

test("Kinco peer: nothing but reads before the first command, one trigger edge per move", () => {
  const lines = received();
  // A drive that is late with its first answer is owed a stop, which is no command.
  const firstWrite = lines.findIndex(({ pdu }) => {
    return Number.parseInt(pdu.slice(0, 2), 16) > 4 && !stopFrame("x", pdu);
  });
  const readBefore = new Set(lines.slice(0, firstWrite).map((line) => line.pdu.slice(2, 6)));
  for (const address of ["3100", "3200", "3500", "3700", "3b00"]) {
    expect([...readBefore]).toContain(address);
  }
  const triggers = lines.filter((line) => line.pdu === "063100003f");
  expect(triggers.length).toBe(2);
});

test("Kinco peer: the position read back from it is where it was sent", async () => {
  const axes = await cell.get<unknown>("/axes");
  expect(JSON.stringify(axes)).toMatch(/"position":(9\.99\d*|10(\.0\d*)?)[,}]/);
});
