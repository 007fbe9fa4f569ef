/**
 * The judge of ends: in a healed world every run ends and nothing is left held.
 *
 * The idea: liveness is asked once, at the end, of what was last heard of each run and of what is
 * found still locked, leased or latched. It refuses worlds that were never healed.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { linesOf, type TraceLine } from "./trace.js";

export const runsEnd: Judge = {
  name: "runs-end",
  promise: "In a healed world every run ends, and no lock, lease or latch is left over.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Omit<Finding, "judge">[] {
    if (!Number.isFinite(facts.healedMs)) return [];
    const runs = new Map(linesOf(trace, "run").map((line) => [line.run, line]));
    const open = [...runs.values()].filter((line) => !line.ended);
    const left = linesOf(trace, "leftOver").filter((line) => line.what !== "armed");
    return [
      ...open.map(({ at, run, saga, state }) => {
        return { at, text: `run ${run} (${saga}) is ${state} at the end` };
      }),
      ...left.map(({ at, what, text }) => ({ at, text: `a ${what} is left over: ${text}` })),
    ];
  },
};
