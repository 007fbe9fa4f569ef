/**
 * Traces of sagas that are written wrongly, and their neighbours that are not.
 *
 * The idea: one saga of two steps, of which the first forgets what it takes. It refuses to be a
 * world.
 */
import type { JudgedSaga } from "#simulators/judges/judge.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import { at, reach, run, verdict } from "./hand-made.js";
import type { Case } from "./motion-cases.js";

export const sagas: readonly JudgedSaga[] = [
  {
    name: "pick-place",
    steps: [
      { name: "take", device: "gripper", verb: "grip", makeSafe: "none" },
      { name: "carry", device: "x", verb: "moveTo", makeSafe: "operations" },
    ],
  },
];

const intent = (id: string, step: string, part: string): TraceLine => {
  return { at: 20, kind: "intent", id, run: "r1", step, part };
};
const begun = run(1, "running", false);
const carry = intent("c", "carry", "makeSafe");
const interlocked = { ...verdict(30, "c", "refused"), code: "INTERLOCKED" } as TraceLine;
const taken = { ...verdict(30, "t", "done"), device: "gripper" } as TraceLine;
const letGo = { ...verdict(50, "l", "done"), device: "gripper" } as TraceLine;
const gripped = [begun, intent("t", "take", "run"), taken];
const safe = run(90, "madeSafe", true);

export const recipeCases: readonly Case[] = [
  ["recipes", "makeSafe against a false interlock", [begun, at(5, "z", 40), carry, interlocked], 1],
  ["recipes", "an interlock that holds", [begun, at(5, "z", 60), carry, interlocked], 0],
  ["recipes", "a device was ill", [begun, at(5, "z", 40), reach(6, false), carry, interlocked], 0],
  ["recipes", "a part is forgotten", [...gripped, safe], 1],
  [
    "recipes",
    "the part has been let go",
    [...gripped, intent("l", "take", "makeSafe"), letGo, safe],
    0,
  ],
];
