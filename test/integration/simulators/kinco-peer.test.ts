/**
 * The independent Kinco peer (pymodbus) and the simulated drive, asked the same things.
 *
 * The idea: two programs written apart, with different libraries, must agree on every bit that the
 * register facts name; where they differ, one of them has misread the manual. It refuses timing.
 *
 * needs: pymodbus, pyserial
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSim } from "#simulators/simulation.js";
import { RawClient, until } from "../../fixtures/simulators/modbus-client.js";
import { servoSetup } from "../../fixtures/simulators/profiles.js";

const [CW, SW, MODE, POS, VEL] = [0x3100, 0x3200, 0x3500, 0x3700, 0x3b00];
const [TARGET, PSPEED] = [0x4000, 0x4a00];
/** Bit 14 is the peer's own. */
const compared = 0xbfff;

interface Drive {
  readonly client: RawClient;
  readonly close: () => Promise<void>;
  readonly log?: () => string[];
}

async function peer(): Promise<Drive> {
  const log = join(mkdtempSync(join(tmpdir(), "peer-")), "frames.jsonl");
  const args = ["test/peers/kinco_peer.py", "--port", "0", "--log", log];
  const child: ChildProcess = spawn("/usr/bin/python3", args, {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", () => reject(new Error("the peer ended")));
    child.stdout?.once("data", (data) => resolve(Number(String(data))));
  });
  const client = await RawClient.connect(port);
  const close = async () => {
    client.close();
    child.kill("SIGKILL");
  };
  const lines = () => readFileSync(log, "utf8").trim().split("\n");
  return { client, close, log: () => lines().map((line) => JSON.parse(line).pdu) };
}

async function simulated(): Promise<Drive> {
  const sim = await startSim({ devices: [servoSetup("x", 1, { start: 30 })] });
  const client = await RawClient.connect(sim.ports.bus ?? 0);
  return {
    client,
    close: async () => {
      client.close();
      await sim.close();
    },
  };
}

/** Enables, homes, moves, halts, goes on, quick-stops; the status word after each. */
async function walk({ client }: Drive): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  const status = () => client.word(1, SW);
  const note = async (what: string) => {
    seen[what] = (await status()) & compared;
  };
  const still = async () => (await client.read32(1, VEL)) === 0;
  const control = async (word: number) => {
    await client.write(1, CW, word);
    await note(`${Object.keys(seen).length}: control word ${word.toString(16)}`);
  };
  await note("power-up");
  for (const word of [0x0f, 0x06, 0x07, 0x0f]) await control(word);
  await client.write(1, MODE, 6);
  await control(0x1f);
  await until(async () => ((await status()) & 0x8000) !== 0);
  await note("homed");
  await control(0x0f);
  await client.write(1, MODE, 1);
  await client.write32(1, PSPEED, Math.round(100 * 2000 * 16.384));
  await client.write32(1, TARGET, 60_000);
  await control(0x2f);
  await control(0x3f);
  await control(0x2f);
  await until(async () => (await client.read32(1, POS)) > 5000);
  await client.write(1, CW, 0x12f);
  await until(still);
  await note("halted");
  const rest = await client.read32(1, POS);
  expect(rest).toBeLessThan(60_000);
  await control(0x2f);
  await until(async () => ((await status()) & 0x0400) !== 0 && (await still()));
  expect(await client.read32(1, POS)).toBe(60_000);
  await note("at the target");
  await client.write32(1, TARGET, -20_000);
  await client.write(1, CW, 0x5f);
  await until(async () => (await client.read32(1, POS)) < 55_000);
  await client.write(1, CW, 0x0b);
  await until(still);
  await note("quick stop");
  await control(0x0f);
  await control(0x06);
  await control(0x0f);
  await until(still);
  await note("enabled again");
  return seen;
}

describe("the Kinco peer", () => {
  let real: Drive;
  let pretended: Drive;
  beforeAll(async () => {
    real = await peer();
    pretended = await simulated();
  });
  afterAll(async () => {
    await real.close();
    await pretended.close();
  });

  test("peer and simulator show the same status words along one walk", async () => {
    const seen = await walk(pretended);
    expect(Object.keys(seen).length).toBeGreaterThan(15);
    expect(await walk(real)).toEqual(seen);
    expect(real.log?.()).toContain("063100000f");
  });

  test("the peer logs each request as received, golden frames included", async () => {
    await real.client.ask(1, [0x03, 0x32, 0x00, 0x00, 0x02]);
    await real.client.ask(1, [0x10, 0x6f, 0x00, 0x00, 0x02, 0x04, 0x4e, 0x82, 0x00, 0x1b]);
    expect(real.log?.().slice(-2)).toEqual(["0332000002", "106f000002044e82001b"]);
  });

  test.each([
    ["an unknown register", [3, 0x12, 0x34, 0, 1]],
    ["a write to the status word", [6, 0x32, 0, 0, 1]],
  ])("both refuse %s with exception 2", async (_what, pdu) => {
    const answers = [await real.client.ask(1, pdu), await pretended.client.ask(1, pdu)];
    for (const answer of answers) expect(answer.slice(1)).toEqual([2]);
  });

  test("a request cut in two, and two in one segment, are answered by both", async () => {
    for (const { client } of [real, pretended]) {
      const frames = [1, 2].map(() => client.frame(1, [3, 0x32, 0, 0, 2]));
      const replies = frames.map(({ id }) => client.reply(id));
      const all = Buffer.concat(frames.map(({ bytes }) => bytes));
      client.send(all.subarray(0, 9));
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.send(all.subarray(9));
      for (const reply of await Promise.all(replies)) expect(reply.slice(0, 2)).toEqual([3, 4]);
    }
  });
});
