/**
 * The protocol in one process: real driver, coordinator and bus apps, seeded faults, judges.
 *
 * The idea: chance delays, repeats and drops messages, loses requests and replies, kills services
 * at any await and presses buttons at the worst moment; judges read the trace and what the
 * coordinator commands; then the world heals and must become idle again. A failing seed prints
 * itself and replays exactly. It refuses real I/O and wall time.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CellWorld } from "#simulators/world/cell-world.js";
import { demoCell, makeWorld } from "../fixtures/world-cell.js";
import { CommandJudge } from "./command-judge.js";
import { type JudgeFacts, judges } from "./judges.js";
import { type ActOptions, actOne, actTwo, Operator } from "./world-driver.js";

const seeds = Number(process.env.SIM_SEEDS ?? 28);
const first = Number(process.env.SIM_SEED ?? 1);

interface Outcome {
  readonly problems: readonly string[];
  readonly cell: string;
  readonly open: number;
  readonly kills: number;
  readonly stops: number;
  readonly motions: number;
  readonly virtualMs: number;
  readonly notes: readonly string[];
}

/** Plays one seed; runs in a macrotask of its own so that promises drain inside the clock. */
function play(seed: number, options: ActOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(playNow(seed, options));
      } catch (error) {
        reject(error);
      }
    }, 0);
  });
}

function playNow(seed: number, options: ActOptions): Outcome {
  const world: CellWorld = makeWorld(seed, (statements) => commands.committed(statements));
  const commands = new CommandJudge(world);
  const restore = world.clock.install();
  try {
    const operator = new Operator(world);
    actOne(world, operator, options);
    actTwo(world, operator, options);
    const facts: JudgeFacts = {
      devices: demoCell().devices.map((device) => device.id),
      leaseMs: Math.max(...demoCell().devices.map((device) => device.leaseMs)),
      standstillMs: 8000,
      endMs: world.clock.nowMs,
    };
    const problems = Object.entries(judges).flatMap(([name, judge]) => {
      return judge(world.trace, facts).map((problem) => `seed ${seed}: ${name}: ${problem}`);
    });
    problems.push(...commands.problems.map((problem) => `seed ${seed}: commands: ${problem}`));
    const count = (kind: string) => world.trace.filter((line) => line.kind === kind).length;
    return {
      problems,
      cell: operator.cell,
      open: operator.runs.filter((run) => run.endedAt === undefined).length,
      kills: count("killed"),
      stops: count("stopDelivered"),
      motions: count("motion"),
      virtualMs: world.clock.nowMs,
      notes: world.trace.flatMap((line) => (line.kind === "fault" ? [line.text] : [])),
    };
  } finally {
    restore();
  }
}

const totals = { seeds: 0, kills: 0, stops: 0, motions: 0, virtualMs: 0 };
let startedMs = 0;
beforeAll(() => {
  startedMs = performance.now();
});
afterAll(() => {
  const realMs = performance.now() - startedMs;
  const speedup = Math.round(totals.virtualMs / realMs);
  process.stdout.write(`SIM ${JSON.stringify({ ...totals, speedup })}\n`);
});

async function judged(seed: number, options: ActOptions): Promise<void> {
  const outcome = await play(seed, options);
  totals.seeds += 1;
  totals.kills += outcome.kills;
  totals.stops += outcome.stops;
  totals.motions += outcome.motions;
  totals.virtualMs += outcome.virtualMs;
  expect(outcome.problems.slice(0, 5)).toEqual([]);
  expect(`seed ${seed}: ${outcome.cell}, ${outcome.open} open`).toMatch(/(Idle|Complete), 0 open/);
  expect(outcome.motions, `seed ${seed}: nothing moved at all`).toBeGreaterThan(0);
  if (options.killAt !== undefined) expect(outcome.notes).toContain("killed during pick-place");
}

test(`protocol: faults, kills and an operator at random moments (seeds ${first}…${first + seeds - 1})`, async () => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    await judged(seed, { faultsMs: 25_000, healMs: 90_000 });
  }
}, 600_000);

test.each(["coordinator", "driver-x", "driver-z", "bus"])(
  "protocol: %s killed at each of 30 moments of a pick-place, nothing else wrong",
  async (node) => {
    for (let k = 0; k < 30; k += 1) {
      const killAt = { node, atMs: 0.7 + k * 194.6 };
      await judged(9000 + k, { faultsMs: 500, healMs: 90_000, killAt, quiet: true });
    }
  },
  600_000,
);
