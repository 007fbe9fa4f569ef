/**
 * The virtual line is as slow, as shared and as unkind as a line is.
 *
 * The idea: a frame takes its characters' time, units look after a silence, two who talk at once
 * spoil each other, a port has one owner. It refuses the product's framing.
 */
import { expect, test } from "vitest";
import { crcHolds, rtuFrame } from "#simulators/rtu.js";
import { noByteFaults } from "#simulators/world/byte-faults.js";
import { RtuLine, type VirtualPort } from "#simulators/world/rtu-line.js";
import type { SeededRandom } from "#simulators/world/seeded-random.js";
import type { VirtualClock } from "#simulators/world/virtual-clock.js";
import { inTime } from "./in-time.js";

const read = Uint8Array.of(3, 0, 0, 0, 1);
const answer = Uint8Array.of(3, 2, 0x12, 0x34);

function setUp(clock: VirtualClock, random: SeededRandom, faults = {}) {
  const asked: number[] = [];
  const device = {
    handle: (_pdu: Uint8Array, nowMs: number) => {
      asked.push(nowMs);
      return answer;
    },
  };
  const line = new RtuLine({
    clock,
    random,
    baud: 9600,
    format: "8N1",
    echo: false,
    fieldFaults: { loseRequest: 0, loseReply: 0, delayMaxMs: 1 },
    faults: { ...noByteFaults, ...faults },
    devices: new Map([[1, device]]),
  });
  const heard: number[] = [];
  const lost: string[] = [];
  const user = {
    onBytes: (bytes: Uint8Array) => heard.push(...bytes),
    onLost: (why: string) => lost.push(why),
  };
  const open = (): { port?: VirtualPort; error?: unknown } => {
    const result: { port?: VirtualPort; error?: unknown } = {};
    clock.as("bus", () => {
      void line.open(user).then(
        (port) => {
          result.port = port;
        },
        (error: unknown) => {
          result.error = error;
        },
      );
    });
    clock.run(clock.nowMs + 10);
    return result;
  };
  return { line, asked, heard, lost, open };
}

test("a request is looked at when its characters and a silence are over", () =>
  inTime((clock, random) => {
    const { open, asked, heard, line } = setUp(clock, random);
    const { port } = open();
    const begin = clock.nowMs;
    port?.write(rtuFrame(1, read));
    clock.run(begin + 100);
    // 8 characters of 10 bits at 9600 baud, and 3.5 more.
    expect(asked).toHaveLength(1);
    expect((asked[0] ?? 0) - begin).toBeCloseTo((11.5 * 10_000) / 9600, 1);
    expect(heard).toEqual([...rtuFrame(1, answer)]);
    expect(line.counts).toMatchObject({ frames: 1, refused: 0, tooSoon: 0, collisions: 0 });
  }));

test("two frames without a silence between them are none", () =>
  inTime((clock, random) => {
    const { open, asked, line } = setUp(clock, random);
    const { port } = open();
    port?.write(rtuFrame(1, read));
    port?.write(rtuFrame(1, read));
    clock.run(200);
    expect(asked).toEqual([]);
    expect(line.counts).toMatchObject({ frames: 1, refused: 1, tooSoon: 1 });
  }));

test("a request into a reply spoils both", () =>
  inTime((clock, random) => {
    const { open, asked, heard, line } = setUp(clock, random);
    const { port } = open();
    port?.write(rtuFrame(1, read));
    clock.run(clock.nowMs + 200, () => asked.length > 0);
    clock.run(clock.nowMs + 200, () => heard.length > 0);
    port?.write(rtuFrame(1, read));
    clock.run(clock.nowMs + 200);
    expect(line.counts.collisions).toBeGreaterThan(0);
    expect(asked).toHaveLength(1);
    expect(crcHolds(Uint8Array.from(heard))).toBe(false);
  }));

test.each([
  ["spoil", { spoil: 1 }],
  ["truncate", { truncate: 1 }],
])("a fault of a reply always shows: %s", (name, faults) =>
  inTime((clock, random) => {
    const { open, asked, heard } = setUp(clock, random, faults);
    const { port } = open();
    for (let i = 0; i < 50; i += 1) {
      heard.length = 0;
      port?.write(rtuFrame(1, read));
      clock.run(clock.nowMs + 100);
      expect([...heard]).not.toEqual([...rtuFrame(1, answer)]);
    }
    // What is spoilt on the way there is not obeyed either.
    expect(asked.length).toBe(name === "spoil" ? 0 : 50);
  }),
);

test("a port has one owner, goes with its adapter and comes back with it", () =>
  inTime((clock, random) => {
    const { open, line, lost } = setUp(clock, random);
    const { port } = open();
    expect(String(open().error)).toContain("locked");
    line.unplug(300);
    clock.run(clock.nowMs + 1);
    expect(lost).toEqual(["no such device"]);
    expect(port?.write(rtuFrame(1, read))).toBe(false);
    expect(String(open().error)).toContain("no such file");
    clock.run(clock.nowMs + 300);
    expect(open().port).toBeDefined();
    line.release("bus");
    expect(open().port).toBeDefined();
  }));
