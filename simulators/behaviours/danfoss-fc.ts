/**
 * A Danfoss inverter with the FC profile.
 *
 * The idea: of the control word, b2 brakes, b3 coasts, b4 stops quickly and b5 freezes when they
 * are 0, b6 starts, b7 resets at its edge, and nothing counts without b10. The status word says
 * control ready (b0), drive ready (b1), trip (b3), at reference (b8), bus control (b9), start
 * signal without coast (b11) [FC 360 design guide p.120, FCD 311 p.100]. 0x4000 is 100 %. It
 * refuses addresses.
 */
import { type Behaviour, bit, wordOf } from "./behaviour.js";
import {
  atSetPoint,
  type InverterFacts,
  type InverterFamily,
  type InverterState,
  inverter,
} from "./inverter.js";

export const danfossStates = ["idle", "running", "ramping", "quick", "coasting", "trip"] as const;
export type DanfossPower = (typeof danfossStates)[number];

const full = 0x4000;
const codeOwn = 0x0010;
/** Alarm 17, control word timeout, as bit 4 of the alarm word. */
const codeSilence = 0x0010;

/** The state after a control word with b10. */
export function nextDanfossPower(
  state: DanfossPower,
  { before, now }: { before: number; now: number },
): DanfossPower {
  if (state === "trip") return bit(now, 7) && !bit(before, 7) ? "idle" : "trip";
  if (!bit(now, 3)) return state === "idle" ? "idle" : "coasting";
  if (!bit(now, 4)) return state === "idle" ? "idle" : "quick";
  if (!bit(now, 2) || !bit(now, 6)) return state === "idle" ? "idle" : "ramping";
  return "running";
}

function statusword(state: InverterState<DanfossPower>, facts: InverterFacts): number {
  const { power } = state;
  const started = power === "running" || power === "ramping" || power === "quick";
  return wordOf({
    0: true,
    1: power !== "trip",
    2: power !== "coasting" && power !== "trip",
    3: power === "trip",
    8: power === "running" && atSetPoint(state),
    9: facts.remote,
    10: Math.abs(state.motion.speed) < 100,
    11: started,
  });
}

const family: InverterFamily<DanfossPower> = {
  functions: [3, 6, 16],
  off: "idle",
  tripped: "trip",
  commandPoint: "controlword",
  setpointPoint: "setpoint",
  full,
  counts: (word) => bit(word, 10),
  next: nextDanfossPower,
  drive: (power, word) => {
    if (power === "running") return bit(word, 5) ? "follow" : "hold";
    if (power === "ramping") return "ramp";
    return power === "quick" ? "fast" : "coast";
  },
  atRest: (power) => (power === "running" || power === "trip" ? power : "idle"),
  // Only a control word counts as a sign of life.
  feeds: ({ points, words }) => words.length > 0 && points.includes("controlword"),
  codeSilence,
  codeOwn,
  values: (state, facts) => ({
    statusword: statusword(state, facts),
    actual: Math.round((state.motion.speed * full) / 100),
    alarmWord: state.code,
  }),
};

export function danfoss(facts: InverterFacts): Behaviour<InverterState<DanfossPower>> {
  return inverter(family, facts);
}
