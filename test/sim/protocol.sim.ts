/**
 * The protocol in one process: real driver, coordinator and bus apps, seeded faults, judges.
 *
 * The idea: chance delays, repeats and drops messages, cuts links, stalls and kills services at any
 * await, fills disks, cuts the power, trips devices and presses buttons at the worst moment; judges
 * read the trace; then the world heals and must work again. A failing seed prints itself and
 * replays exactly. More seeds: `npm run sim`. It refuses real I/O and wall time.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fault } from "#simulators/world/fault-plan.js";
import type { Outcome } from "#simulators/world/play.js";
import { timeline } from "#simulators/world/timeline.js";
import { play } from "../fixtures/world-cell.js";

const seeds = Number(process.env.SIM_SEEDS ?? 12);
const first = Number(process.env.SIM_SEED ?? 1);

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

function judged(outcome: Outcome): void {
  const { seed, findings, trace, counts, virtualMs } = outcome;
  totals.seeds += 1;
  totals.kills += counts.kills;
  totals.stops += counts.stops;
  totals.motions += counts.motions;
  totals.virtualMs += virtualMs;
  const [worst] = findings;
  const told = worst === undefined ? [] : timeline(trace, findings, { untilMs: worst.at + 200 });
  const said = findings.map(({ judge, text }) => `${judge}: ${text}`);
  expect(said.slice(0, 5), `seed ${seed}\n${told.join("\n")}`).toEqual([]);
  expect(counts.motions, `seed ${seed}: nothing moved at all`).toBeGreaterThan(0);
}

test(`protocol: faults, kills and an operator at random moments (seeds ${first}…${first + seeds - 1})`, async () => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    judged(await play({ seed, faultsMs: 120_000, faults: 12, presses: 12 }));
  }
}, 600_000);

test.each(["coordinator", "driver-x", "driver-z", "bus"])(
  "protocol: %s killed at each of 30 moments of a pick-place, nothing else wrong",
  async (node) => {
    for (let k = 0; k < 30; k += 1) {
      const atMs = 0.7 + k * 194.6;
      const plan: readonly Fault[] = [
        { atMs: 0, action: { kind: "press", what: "start", saga: "pick-place" } },
        { atMs, action: { kind: "kill", node, backMs: 300 } },
      ];
      const outcome = await play({ seed: 9000 + k, plan, work: false, faultsMs: 7000 });
      judged(outcome);
      expect(outcome.counts.kills).toBe(1);
    }
  },
  600_000,
);

test("protocol: a kill that is armed for an event after the mending does not strike any more", async () => {
  const plan: readonly Fault[] = [
    { atMs: 0, action: { kind: "press", what: "start", saga: "pick-place" } },
    { atMs: 6999, action: { kind: "killAtEvent", node: "coordinator", events: 200, backMs: 300 } },
  ];
  const outcome = await play({ seed: 9100, plan, work: false, faultsMs: 7000 });
  judged(outcome);
  expect(outcome.counts.kills).toBe(0);
}, 60_000);
