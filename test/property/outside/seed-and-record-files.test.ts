/**
 * Seed files and flight recordings that somebody has edited or a disk has torn: read, or refused.
 *
 * The idea: right files with bytes damaged and with odd values in them; what is read has the form
 * that worlds take, and what is refused is refused with a sentence. It refuses to play them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  readSeedFile,
  type SeedFile,
  seedFileText,
  unknownNames,
} from "#simulators/campaign/seed-file.js";
import { SimProblem } from "#simulators/problem.js";
import { readRecording, recordingMsMax } from "#simulators/recording.js";
import { type Fault, planFacts, planFaults } from "#simulators/world/fault-plan.js";
import { payloadOf } from "../../fixtures/odd-values.js";
import { damage, damaged, outside } from "../../fixtures/outside.js";
import { demoCell } from "../../fixtures/world-cell.js";

const facts = planFacts(demoCell());
const plan = planFaults(
  { ...facts, bytes: true },
  { seed: 5, forMs: 60_000, faults: 20, presses: 20 },
);
const right: SeedFile = {
  ...{ servocellSeed: 1 as const, seed: 5, found: "once", faultsMs: 60_000, work: true },
  ...{ depth: "tcp" as const, sagas: ["pick-place"], recipes: true, plan },
};
const seedText = new TextEncoder().encode(seedFileText(right));
const places = fc.array(damage, { minLength: 1, maxLength: 5 });

const spoiledSeed = fc.oneof(
  places.map((what) => damaged(seedText, what)),
  payloadOf([right]),
);

outside(
  "seed file",
  "a spoiled seed file is read as a plan, or refused with its problems",
  fc.property(spoiledSeed, (bytes) => {
    const read = readSeedFile(new TextDecoder().decode(bytes));
    if (!read.ok) {
      expect(read.problems.length).toBeGreaterThan(0);
      return;
    }
    for (const { atMs, action } of read.value.plan) {
      expect(Number.isFinite(atMs)).toBe(true);
      expect(typeof action.kind).toBe("string");
    }
    expect(Array.isArray(unknownNames(read.value.plan, facts))).toBe(true);
    expect(readSeedFile(seedFileText(read.value))).toEqual(read);
  }),
  { runs: 300 },
);

const record = [
  { kind: "head", units: { 1: { device: "x", profile: "kinco/fd5p" } }, link: "tcp" },
  { kind: "frame", tMs: 100, unit: 1, lane: "poll", request: "0332000002", reply: "030400270000" },
  { kind: "frame", tMs: 160, unit: 1, lane: "command", request: "063100000f", reply: "063100000f" },
  { kind: "frame", tMs: 220, unit: 1, lane: "poll", request: "0332000002", outcome: "timeout" },
  { kind: "frame", tMs: 260, unit: 3, pdu: "0337000002", reply: "030400000001" },
];
const recordText = new TextEncoder().encode(record.map((line) => JSON.stringify(line)).join("\n"));

const folder = mkdtempSync(join(tmpdir(), "records-"));
afterAll(() => rmSync(folder, { recursive: true }));

function readText(bytes: Uint8Array) {
  const file = join(folder, "bus.jsonl");
  writeFileSync(file, bytes);
  try {
    return readRecording(file);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SimProblem);
    expect(String(thrown)).toContain(file);
    return undefined;
  }
}

const lines = fc
  .array(payloadOf(record), { minLength: 1, maxLength: 6 })
  .map((parts) => Buffer.concat(parts.flatMap((part) => [Buffer.from(part), Buffer.from("\n")])));

outside(
  "recording",
  "a spoiled recording gives units with frames and times that can be played, or is refused by name",
  fc.property(
    fc.oneof(
      places.map((what) => damaged(recordText, what)),
      lines,
    ),
    (bytes) => {
      const read = readText(bytes);
      if (read === undefined) return;
      expect(read.units.length).toBeGreaterThan(0);
      const times = read.units.flatMap(({ exchanges }) => exchanges.map(({ tMs }) => tMs ?? 0));
      expect(times.every((tMs) => Number.isFinite(tMs))).toBe(true);
      expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(recordingMsMax);
      for (const { exchanges, device, profile } of read.units) {
        expect([typeof device, typeof profile]).toEqual(["string", "string"]);
        for (const { request } of exchanges) expect(request.length).toBeGreaterThan(0);
      }
    },
  ),
  { runs: 300 },
);

test("a recording whose last frame is years later is refused: nobody could play it", () => {
  const [head, first] = record;
  const late = [head, first, { ...first, tMs: 1e14 }]
    .map((line) => JSON.stringify(line))
    .join("\n");
  expect(readText(new TextEncoder().encode(late))).toBe(undefined);
});

test("a plan that names what the cell does not have: each name is told", () => {
  const strange: readonly Fault[] = [
    { atMs: 0, action: { kind: "kill", node: "driver-q", backMs: 5 } },
    { atMs: 0, action: { kind: "fieldCut", bus: "roof", forMs: 5 } },
    { atMs: 0, action: { kind: "device", device: "q", fault: "trip", forMs: 5 } },
    { atMs: 0, action: { kind: "press", what: "start", saga: "fly" } },
  ];
  expect(unknownNames(strange, facts)).toEqual(["driver-q", "roof", "q", "fly"]);
  expect(unknownNames(plan, facts)).toEqual([]);
});
