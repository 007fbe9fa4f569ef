/**
 * The simulator as a process: cell file, ready line, faults, control socket, tap, ends.
 *
 * The idea: started from the build as the supervisor does it. It refuses fixed ports.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../../fixtures/simulators/modbus-client.js";

const main = "dist/simulators/main.js";
let folder: string;
let port: number;
const children: ChildProcess[] = [];

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const cell = (tcp: string) => `
servocell: 1
cell: { name: demo, prefix: servocell }
buses: { field: { tcp: "${tcp}" } }
devices:
  x:
    profile: kinco/fd5p
    bus: field
    unit: 1
    axis:
      kind: linear
      countsPerRev: 10000
      gear: 7:3
      pitch: 5 mm
      travel: [0 mm, 400 mm]
      velocityMax: 0.5 m/s
      accelerationMax: 2000 mm/s2
      whenOff: stays
    simulate: { start: 100 mm }
  belt:
    profile: abb/drives-profile
    bus: field
    unit: 5
    axis: { unit: percent, velocityMax: 100 %, accelerationMax: 50 %/s, whenOff: coasts }
`;

function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => out.includes("ready\n") && resolve());
    void code.then((c) => reject(new Error(`ended with ${c}: ${err}`)));
  });
  ready.catch(() => {});
  return { child, code, ready, err: () => err };
}

function control(path: string, ...lines: string[]): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => socket.write(lines.map((l) => `${l}\n`).join("")));
    let text = "";
    socket.on("error", reject);
    socket.on("data", (data) => {
      text += data;
      const got = text.split("\n").slice(0, -1);
      if (got.length < lines.length) return;
      socket.end();
      resolve(got.map((line) => JSON.parse(line)));
    });
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sim-"));
  port = await freePort();
  writeFileSync(join(folder, "cell.yaml"), cell(`127.0.0.1:${port}`));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const cellFile = () => join(folder, "cell.yaml");

test("serves the cell's devices, faults by command line; SIGTERM ends it with 0", async () => {
  const faults = ["--fault", "x=delay:20", "--fault", "belt=exception:6"];
  const sim = start(["--cell", cellFile(), "--data", folder, ...faults]);
  await sim.ready;
  const client = await RawClient.connect(port);
  expect((await client.word(1, 0x3200)) & 0x4f).toBe(0x40);
  expect(await client.ask(5, [3, 0, 3, 0, 1])).toEqual([0x83, 6]);
  sim.child.kill("SIGTERM");
  expect(await sim.code).toBe(0);
  client.close();
});

test("control socket: sets, clears, shows, refuses; SIGKILL leaves the tap whole", async () => {
  const sock = join(folder, "sim.sock");
  const tapFile = join(folder, "tap.jsonl");
  writeFileSync(sock, "left behind by a killed process");
  const sim = start(["--cell", cellFile(), "--control", sock, "--tap", tapFile]);
  await sim.ready;
  const answers = await control(
    sock,
    '{"kind":"fault","device":"x","fault":"stuck","value":"trip"}',
    '{"kind":"state"}',
    '{"kind":"clear","device":"x"}',
    '{"kind":"fault","device":"q","fault":"stuck"}',
    '{"kind":"dance"}',
    "not json",
  );
  expect(answers.map((a) => a.kind)).toEqual(["ok", "state", "ok", "error", "error", "error"]);
  expect(answers[1]).toMatchObject({ devices: { x: { faults: { stuck: "trip" } } } });
  const client = await RawClient.connect(port);
  await client.write(1, 0x3100, 0x06);
  sim.child.kill("SIGKILL");
  await sim.code;
  client.close();
  const last = readFileSync(tapFile, "utf8").trim().split("\n").at(-1) ?? "";
  expect(JSON.parse(last)).toMatchObject({ device: "x", pdu: "0631000006", reply: "0631000006" });
});

test("supervised: ends when the supervisor's pipe closes", async () => {
  const sim = start(["--cell", cellFile()], { SERVOCELL_SUPERVISED: "1" });
  await sim.ready;
  sim.child.stdin?.end();
  expect(await sim.code).toBe(0);
});

test.each([
  ["a network address", "192.168.1.10:502", /loopback only/],
  ["all interfaces", "0.0.0.0:1502", /loopback only/],
  ["a name that is not loopback", "plc.example:502", /loopback only/],
  ["no port", "127.0.0.1", /is not host:port/],
])("refuses %s with a sentence and 1", async (_what, tcp, sentence) => {
  writeFileSync(cellFile(), cell(tcp));
  const sim = start(["--cell", cellFile()]);
  expect(await sim.code).toBe(1);
  expect(sim.err()).toMatch(sentence);
  expect(sim.err()).not.toMatch(/at .*\.js/);
});

test("--listen: at that address, whatever host the file names, and its ports", async () => {
  writeFileSync(cellFile(), cell(`simulator:${port}`));
  const sim = start(["--cell", cellFile(), "--listen", "127.0.0.1"]);
  await sim.ready;
  const client = await RawClient.connect(port);
  expect((await client.word(1, 0x3200)) & 0x4f).toBe(0x40);
  client.close();
  expect(sim.err()).toBe("");
});

test("--listen beyond loopback says that the devices have no protection", async () => {
  const sim = start(["--cell", cellFile(), "--listen", "0.0.0.0"]);
  await sim.ready;
  expect(sim.err()).toMatch(new RegExp(`0\\.0\\.0\\.0 port ${port}.*no protection`));
});

test.each([
  [["--cell"], /cell/],
  [["--cell", "/dev/null", "--listen"], /listen/],
  [["--cell", "/nowhere/cell.yaml"], /cannot be read/],
  [[], /--cell FILE/],
])("refuses %j with a sentence and 1", async (args, sentence) => {
  const sim = start(args);
  expect(await sim.code).toBe(1);
  expect(sim.err()).toMatch(sentence);
});

test("--listen refuses a name: it may be looked up as anything", async () => {
  const sim = start(["--cell", cellFile(), "--listen", "simulator"]);
  expect(await sim.code).toBe(1);
  expect(sim.err()).toMatch(/simulator is no address/);
});

test("a port that is taken is said, and nothing is left listening", async () => {
  const first = start(["--cell", cellFile()]);
  await first.ready;
  const sock = join(folder, "second.sock");
  const second = start(["--cell", cellFile(), "--control", sock]);
  expect(await second.code).toBe(1);
  expect(second.err()).toMatch(/cannot listen/);
  expect(existsSync(sock)).toBe(false);
});
