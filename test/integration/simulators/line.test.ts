/**
 * The simulated line, asked by a master that writes bytes by hand.
 *
 * The idea: frames and checksums are the tests' own; times are judged by lower bounds, which a
 * busy machine cannot break, and counters by what was done on purpose. It refuses the bus service.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SimProblem } from "#simulators/problem.js";
import { type Simulation, startSim } from "#simulators/simulation.js";
import { until } from "../../fixtures/simulators/modbus-client.js";
import { gripperSetup, servoSetup } from "../../fixtures/simulators/profiles.js";
import { pause, RawMaster, rtu } from "../../fixtures/simulators/raw-master.js";

let dir: string;
let sim: Simulation;
let master: RawMaster;

async function serve(baud = 19_200, turnaround = 2, echo = false): Promise<void> {
  sim = await startSim({
    devices: [
      { ...servoSetup("x", 1, { turnaround }), bus: "rail" },
      { ...servoSetup("y", 2, { turnaround }), bus: "rail" },
      { ...gripperSetup("gripper", 9, { turnaround }), bus: "rail" },
    ],
    lines: { rail: { baud, format: "8E1", echo } },
    linesDir: dir,
    tapFile: join(dir, "tap.jsonl"),
  });
  master = new RawMaster(sim.paths.rail ?? "");
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "servocell-line-"));
});
afterEach(async () => {
  master.close();
  await sim.close();
  rmSync(dir, { recursive: true, force: true });
});

const statusOf = (unit: number) => rtu(unit, 3, 0x32, 0, 0, 1);
const status = (unit: number) => rtu(unit, 3, 2, 0x02, 0x40).toString("hex");
const line = () => sim.lines().rail ?? expect.fail("no line");
const tapped = () =>
  readFileSync(join(dir, "tap.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text) as Record<string, unknown>);

test("a reply takes the time of the wire (baud=9600, turnaround=20 ms): 8 + 7 characters", async () => {
  await serve(9600, 20);
  const asked = Buffer.from(statusOf(1));
  expect(await master.reply(asked)).toMatch(/^0103020.40/);
  // 15 characters of 11 bits at 9600 baud are 17.2 ms.
  expect(master.tookMs).toBeGreaterThan(37);
});

test("FR-13: requests to absent units confuse no one (3 of 6 asked are absent)", async () => {
  await serve(115_200);
  for (let round = 0; round < 5; round += 1) {
    for (const unit of [1, 4, 2, 77, 9, 200]) {
      const read = unit === 9 ? rtu(9, 3, 0x07, 0xd0, 0, 1) : statusOf(unit);
      const there = unit === 1 || unit === 2 || unit === 9;
      const reply = await (there ? master.reply(read) : master.ask(read, 40));
      expect(reply.slice(0, 2)).toBe(there ? `0${unit}` : "");
    }
  }
  expect(line()).toMatchObject({ frames: 30, replies: 15, checksums: 0, violations: 0 });
  expect(line().units).toMatchObject({ 1: 5, 4: 5, 200: 5 });
  expect(tapped().filter((one) => one.note === "no such unit")).toHaveLength(15);
});

test("silence too short is counted and told (request while the reply is on the wire)", async () => {
  await serve(9600);
  // A busy machine may see the first byte too late, and then there is nothing to count.
  for (let tries = 0; tries < 20 && line().violations === 0; tries += 1) {
    master.send(statusOf(1));
    // The first byte comes alone; the rest of the reply is on the wire for 7 ms more.
    while (master.tookMs <= 0) await pause(0);
    master.send(statusOf(2));
    await pause(150);
  }
  expect(line().violations).toBe(1);
  expect(tapped().some((one) => one.what === "violation")).toBe(true);
});

test("a unit that needs 60 ms before a request: less is counted apart from t3.5", async () => {
  const setup = servoSetup("slow", 3, { turnaround: 2 });
  const { transport } = setup.profile;
  const profile = {
    ...setup.profile,
    transport: { ...transport, timing: { silenceBeforeMs: 60 } },
  };
  sim = await startSim({
    devices: [{ ...setup, profile, bus: "rail" }],
    lines: { rail: { baud: 115_200, format: "8N1", echo: false } },
    linesDir: dir,
  });
  master = new RawMaster(sim.paths.rail ?? "");
  await master.reply(statusOf(3));
  for (let tries = 0; tries < 10 && line().unitViolations === 0; tries += 1) {
    await pause(150);
    await master.reply(statusOf(3));
    await master.reply(statusOf(3));
  }
  expect(line()).toMatchObject({ violations: 0, unitViolations: 1 });
});

test("two frames without silence between them are one broken one: nothing answers", async () => {
  await serve(9600);
  master.send(Buffer.concat([statusOf(1), statusOf(2)]));
  await pause(150);
  expect(master.take()).toBe("");
  expect(line().frames).toBe(0);
});

test("a frame in two pieces is one; a wrong checksum and half a frame get silence", async () => {
  await serve(9600);
  const frame = statusOf(1);
  master.send(frame.subarray(0, 3), frame.subarray(3));
  await until(() => line().replies === 1);
  await pause(100);
  expect(master.take().slice(0, 2)).toBe("01");
  const broken = Buffer.from(frame);
  broken[7] = (broken[7] ?? 0) ^ 1;
  expect(await master.ask(broken, 100)).toBe("");
  expect(await master.ask(frame.subarray(0, 5), 100)).toBe("");
  await until(() => line().checksums === 2);
  expect((await master.reply(frame)).slice(0, 2)).toBe("01");
});

test("a broadcast gets no reply, and only who listens to it carries it out", async () => {
  await serve();
  expect(await master.ask(rtu(0, 6, 0x31, 0, 0, 6))).toBe("");
  await until(() => tapped().some(({ unit }) => unit === 0));
  expect(tapped().at(-1)).toMatchObject({ unit: 0, note: "broadcast" });
  // The profile of the Kinco drive does not promise that it listens.
  expect(await master.reply(statusOf(1))).toBe(status(1));
});

test("echo: the master hears itself before each reply; cleared: it does not", async () => {
  await serve();
  sim.setFault("x", "echo");
  const asked = statusOf(1);
  expect(await master.reply(asked, 15)).toBe(asked.toString("hex") + status(1));
  expect(await master.reply(statusOf(5), 8)).toBe(statusOf(5).toString("hex"));
  sim.clear();
  expect(await master.reply(asked)).toBe(status(1));
});

test("echo: true in the cell stays when faults are cleared", async () => {
  await serve(19_200, 2, true);
  sim.clear();
  expect(await master.reply(statusOf(1), 15)).toBe(statusOf(1).toString("hex") + status(1));
});

test.each([
  ["stray", 0x7f, `7f${status(1)}`],
  ["wrong-unit", undefined, rtu(2, 3, 2, 0x02, 0x40).toString("hex")],
  ["wrong-unit", 9, rtu(9, 3, 2, 0x02, 0x40).toString("hex")],
  ["truncate", 4, status(1).slice(0, 8)],
  ["truncate", undefined, status(1).slice(0, 6)],
  ["busy", 1, rtu(1, 0x83, 6).toString("hex")],
  ["exception", 2, rtu(1, 0x83, 2).toString("hex")],
  ["drop", undefined, ""],
] as const)("%s:%s spoils the replies of one unit and of no other", async (fault, value, reply) => {
  await serve();
  sim.setFault("x", fault, value);
  const asked = statusOf(1);
  const got = await (reply === "" ? master.ask(asked) : master.reply(asked, reply.length / 2));
  expect(got).toBe(reply);
  expect(await master.reply(statusOf(2))).toBe(status(2));
  sim.clear("x");
  expect(await master.reply(statusOf(1))).toBe(status(1));
});

test("corrupt:2 spoils every second reply by one bit", async () => {
  await serve();
  sim.setFault("x", "corrupt", 2);
  const replies = [];
  for (let i = 0; i < 4; i += 1) replies.push(await master.reply(statusOf(1)));
  expect(replies.map((reply) => reply === status(1))).toEqual([true, false, true, false]);
  expect(replies.every((reply) => reply.length === status(1).length)).toBe(true);
});

test("late:150: one reply comes after the next unit's, the wire is never talked over", async () => {
  await serve();
  sim.setFault("x", "late", 150);
  expect(await master.ask(statusOf(1), 30)).toBe("");
  expect(await master.reply(statusOf(2), 14)).toBe(status(2) + status(1));
  expect(line().violations).toBe(0);
  expect(await master.reply(statusOf(1))).toBe(status(1));
});

test("unplug: the terminal hangs up and its link goes; replug: the link leads elsewhere", async () => {
  await serve();
  const before = line().pts;
  sim.setFault("rail", "unplug");
  await until(() => master.closed && !line().plugged);
  expect(existsSync(sim.paths.rail ?? "")).toBe(false);
  sim.setFault("x", "replug");
  await until(() => line().plugged);
  expect(readlinkSync(sim.paths.rail ?? "")).not.toBe(before);
  master = new RawMaster(sim.paths.rail ?? "");
  expect(await master.reply(statusOf(1))).toBe(status(1));
  // By itself, after a while.
  sim.setFault("rail", "unplug", 50);
  await until(() => master.closed);
  await until(() => line().plugged);
  master = new RawMaster(sim.paths.rail ?? "");
  expect(await master.reply(statusOf(2))).toBe(status(2));
});

test("50 rounds of unplug and replug leak no descriptor", async () => {
  await serve();
  const open = () => descriptors();
  const before = open();
  for (let round = 0; round < 50; round += 1) {
    sim.setFault("rail", "unplug");
    sim.setFault("rail", "replug");
    await until(() => line().plugged && existsSync(sim.paths.rail ?? ""));
  }
  await until(() => descriptors() <= before + 2);
});

test.each(["max-clients", "half-open"])(
  "%s is refused on a line, with a sentence",
  async (fault) => {
    await serve();
    expect(() => sim.setFault("rail", fault)).toThrow(/is a fault of TCP/);
  },
);

test("a path where something else lies is left alone", async () => {
  await serve();
  const taken = join(dir, "line-other.tty");
  writeFileSync(taken, "a port of somebody");
  const started = startSim({
    devices: [{ ...servoSetup("z", 1), bus: "other" }],
    lines: { other: { baud: 9600, format: "8N1", echo: false } },
    linesDir: dir,
  });
  await expect(started).rejects.toThrow(SimProblem);
  expect(readFileSync(taken, "utf8")).toBe("a port of somebody");
});

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
