/**
 * A flight recording is played as a seed is: drivers see that day again and say the same of it.
 *
 * The idea: a world writes the recording that a bus service would, it goes through a file as the
 * recorder writes it, and other drivers read it at their own pace. It refuses to compare moments
 * closer than the slower of the two polls.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { BusRecord } from "#kernel/contract/frame-record.js";
import { linesOf, type TraceLine } from "#simulators/judges/trace.js";
import { readRecording } from "#simulators/recording.js";
import type { Fault } from "#simulators/world/fault-plan.js";
import { inOwnTurn } from "#simulators/world/own-turn.js";
import { playRecord } from "#simulators/world/play-record.js";
import { demoCell, play, worldParts } from "../fixtures/world-cell.js";

const cell = demoCell();

async function recordedDay(plan: readonly Fault[]) {
  const records: BusRecord[] = [];
  const onRecord = (bus: string, record: BusRecord) => {
    if (bus === "gantry") records.push(record);
  };
  const parts = { ...worldParts(cell), onRecord };
  // The look for energy at the end is too quick for an idle driver's reads.
  const quiet = { work: false, energy: false, faultsMs: 8000 } as const;
  const { trace } = await play({ seed: 5, cell, parts, plan, ...quiet });
  const folder = mkdtempSync(join(tmpdir(), "record-"));
  const file = join(folder, "gantry.jsonl");
  writeFileSync(file, `${records.map((record) => JSON.stringify(record)).join("\n")}\n{"torn`);
  const { units } = readRecording(file);
  rmSync(folder, { recursive: true });
  const again = await inOwnTurn(() => playRecord({ cell, parts: worldParts(cell), units }));
  return { trace, again, records };
}

/** An idle driver reads so often: what stood for less is seen again only by chance. */
const idlePollMs = 250;

/**
 * What a driver says of the power of its drive and its faults, each once, in order; of that what
 * stood for at least so long.
 */
function said(trace: readonly TraceLine[], device: string, leastMs = 0): readonly string[] {
  const words = linesOf(trace, "said")
    .filter((line) => line.device === device && line.text.startsWith("good"))
    .map(({ at, text }) => {
      return { at, word: text.replace(/, (not )?moving.*$/, "").replace("inactive", "active") };
    });
  const changes = words.filter(({ word }, i) => word !== words[i - 1]?.word);
  const stood = changes.filter(({ at }, i) => {
    return (changes[i + 1]?.at ?? Number.POSITIVE_INFINITY) - at >= leastMs;
  });
  return stood.map(({ word }) => word);
}

test("a recording: drivers say of a day with a trip what they said on that day", async () => {
  const { trace, again, records } = await recordedDay([
    { atMs: 0, action: { kind: "press", what: "start", saga: "pick-place" } },
    { atMs: 1500, action: { kind: "device", device: "x", fault: "trip", forMs: 2000 } },
  ]);
  expect(records.length).toBeGreaterThan(1000);
  expect(again.missing).toEqual(["gripper", "conveyor"]);
  for (const device of ["x", "y", "z"]) {
    const then = said(trace, device);
    expect(then.length).toBeGreaterThan(2);
    const now = said(again.trace, device);
    expect(then).toEqual(expect.arrayContaining([...now]));
    const lasting = said(trace, device, idlePollMs);
    expect(lasting.length).toBeGreaterThan(2);
    expect(now).toEqual(expect.arrayContaining([...lasting]));
  }
  const tripped = (lines: readonly TraceLine[]) => said(lines, "x").filter((t) => /fault/.test(t));
  expect(tripped(trace)).not.toEqual([]);
  expect(tripped(again.trace)).toEqual(tripped(trace));
  const writes = linesOf(again.trace, "fault").filter(({ text }) => text.startsWith("recorded"));
  const told = records.filter((one) => {
    const known = one.kind === "frame" && ["reply", "timeout"].includes(one.outcome);
    return known && Number.parseInt(one.request.slice(0, 2), 16) > 4;
  });
  expect(writes).toHaveLength(told.length);
});

test("a recording: played twice it says the same", async () => {
  const plan: readonly Fault[] = [
    { atMs: 0, action: { kind: "press", what: "start", saga: "pick-place" } },
    { atMs: 900, action: { kind: "device", device: "z", fault: "reboot", value: 300, forMs: 100 } },
  ];
  const [one, two] = [await recordedDay(plan), await recordedDay(plan)];
  expect(two.again.trace).toEqual(one.again.trace);
});
