/**
 * Seeds with the real edge under the cell: RTU and Modbus TCP bytes, mqtt.js with aedes, files.
 *
 * The idea: the same faults, people and judges as in protocol.sim.ts, with framing, broker, client
 * and SQLite being the product's own, and with faults that only bytes can have. Each depth is
 * played twice with one seed and has to leave the same trace. It refuses real sockets, ports and
 * time.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import { deepCell } from "#simulators/campaign/deep-cell.js";
import { type Depth, deepParts } from "#simulators/campaign/deep-parts.js";
import type { CellWorld } from "#simulators/world/cell-world.js";
import type { Fault } from "#simulators/world/fault-plan.js";
import { inOwnTurn } from "#simulators/world/own-turn.js";
import { type Outcome, playWorld } from "#simulators/world/play.js";
import { timeline } from "#simulators/world/timeline.js";

const seed = Number(process.env.SIM_SEED ?? 1);
const shown = process.env.SIM_LOG === "1";
/** Long enough for a half-open connection to be noticed: a keepalive and a half. */
const faultsMs = 22_000;
const bytesMs = 9000;

/** What the far ends of the buses have seen, summed over them. */
interface Seen {
  readonly replies: number;
  /** Frames of the product that were none, and that nobody has spoilt. */
  readonly refused: number;
  readonly faults: number;
}

function cellOf(depth: Depth): CellConfig {
  const file = join(process.cwd(), "examples", "pick-and-place", "cell.yaml");
  const dirs = { dataDir: "/nowhere", runDir: "/nowhere" };
  const cell = deepCell(file, readFileSync(file, "utf8"), depth, dirs);
  if (!cell.ok) throw new Error(cell.problems.map((p) => p.message).join("\n"));
  return cell.value;
}

/** One of each kind that only this depth has, and a kill in the middle of them. */
function planOf(depth: Depth): readonly Fault[] {
  const start = { kind: "press", what: "start", saga: "pick-place" } as const;
  const deep: readonly Fault[] = [
    { atMs: 0, action: { kind: "bytes", forMs: bytesMs, rate: 0.006 } },
    { atMs: 5500, action: { kind: "fieldCut", bus: "gantry", forMs: 400 } },
    { atMs: 7000, action: { kind: "kill", node: "bus", backMs: 300 } },
  ];
  return [
    { atMs: 100, action: start },
    {
      atMs: 1500,
      action: { kind: "messages", forMs: 3000, drop: 0.1, repeat: 0.2, delayMaxMs: 15 },
    },
    { atMs: 2500, action: { kind: "linkLoss", node: "driver-y", forMs: 300 } },
    { atMs: 3000, action: { kind: "kill", node: "driver-x", backMs: 400 } },
    { atMs: 4000, action: { kind: "linkLoss", node: "driver-z", forMs: 500, how: "halfOpen" } },
    { atMs: 6000, action: { kind: "press", what: "tidyUp" } },
    { atMs: 6500, action: { kind: "brokerLoss", forMs: 500 } },
    ...(depth.bytes === "none" ? [] : deep),
  ];
}

function play(depth: Depth): Promise<{ outcome: Outcome; seen: Seen }> {
  const cell = cellOf(depth);
  const say = shown ? (line: string) => process.stderr.write(`${line}\n`) : undefined;
  const parts = deepParts(cell, depth, say);
  const worlds: CellWorld[] = [];
  const prepare = (world: CellWorld) => worlds.push(world);
  const plan = planOf(depth);
  return inOwnTurn(() => {
    try {
      const work = { seed, cell, parts, plan, faultsMs, work: false } as const;
      const outcome = playWorld({ ...work, prepare });
      return { outcome, seen: seenBy(worlds) };
    } finally {
      parts.close();
    }
  });
}

function seenBy(worlds: readonly CellWorld[]): Seen {
  const counts = worlds.flatMap((world) => world.pipes.all.map((pipe) => pipe.counts));
  const sum = (of: (one: (typeof counts)[number]) => number) =>
    counts.reduce((total, one) => total + of(one), 0);
  return {
    replies: sum((one) => one.replies),
    refused: sum((one) => one.refused),
    faults: sum((one) => one.faults),
  };
}

function hashOf({ trace }: Outcome): string {
  return createHash("sha256").update(JSON.stringify(trace)).digest("hex");
}

test.each<[string, Depth]>([
  ["RTU on a line and on a bridge, files", { bytes: "rtu", mqtt: "memory", store: "file" }],
  ["Modbus TCP on sockets", { bytes: "tcp", mqtt: "memory", store: "memory" }],
  ["mqtt.js and aedes", { bytes: "none", mqtt: "real", store: "memory" }],
])(
  "deep: %s, with faults, is judged as any world and replays exactly",
  async (_name, depth) => {
    const { outcome, seen } = await play(depth);
    const { trace, findings, counts } = outcome;
    const [worst] = findings;
    const told = worst === undefined ? [] : timeline(trace, findings, { untilMs: worst.at + 200 });
    const said = findings.map(({ judge, text }) => `${judge}: ${text}`);
    expect(said.slice(0, 5), `seed ${seed}\n${told.join("\n")}`).toEqual([]);
    expect(counts.motions).toBeGreaterThan(0);
    // The far end reads what the driver side has framed by its own code.
    expect(seen.refused).toBe(0);
    if (depth.bytes !== "none") {
      expect(seen.replies).toBeGreaterThan(300);
      expect(seen.faults).toBeGreaterThan(10);
    }
    expect(hashOf((await play(depth)).outcome)).toBe(hashOf(outcome));
  },
  300_000,
);
