/**
 * A SINAMICS V20 or G120: control word STW, status word ZSW, main set-point and actual value.
 *
 * The idea: OFF1 (b0) ramps, OFF2 (b1) coasts, OFF3 (b2) ramps fast, each when it is 0; b3 runs,
 * b7 resets at its edge, and only with b10 the word is the master's. After OFF2, OFF3 or a reset
 * the drive is inhibited until OFF1 has been 0. While OFF1 or OFF3 ramps, the drive still reports
 * running. 0x4000 is the reference frequency. The G120 is fed by process data only
 * [V20 2012 p.111, G120 p2040]. It refuses addresses.
 */
import { type Behaviour, bit, wordOf } from "./behaviour.js";
import {
  atSetPoint,
  type InverterFacts,
  type InverterFamily,
  type InverterState,
  inverter,
} from "./inverter.js";

export const siemensStates = [
  "inhibited",
  "ready",
  "readyToRun",
  "running",
  "off1",
  "off2",
  "off3",
  "fault",
] as const;
export type SiemensPower = (typeof siemensStates)[number];

export interface SiemensFacts extends InverterFacts {
  /** G120: nothing but process data feeds the watchdog. */
  readonly processDataOnly: boolean;
}

const full = 0x4000;
const codeSilenceV20 = 72;
const codeSilenceG120 = 1910;
const processData: ReadonlySet<string> = new Set([
  "controlword",
  "setpoint",
  "statusword",
  "actual",
]);

/** The state after a control word with b10. */
export function nextSiemensPower(
  state: SiemensPower,
  { before, now }: { before: number; now: number },
): SiemensPower {
  if (state === "fault") return bit(now, 7) && !bit(before, 7) ? "inhibited" : "fault";
  const turns = state === "running" || state === "off1" || state === "off3" || state === "off2";
  if (!bit(now, 1)) return turns ? "off2" : "inhibited";
  if (state === "off2") return "off2";
  if (!bit(now, 2)) return turns ? "off3" : "inhibited";
  if (state === "off3") return "off3";
  if (!bit(now, 0)) return state === "running" || state === "off1" ? "off1" : "ready";
  if (state === "inhibited") return "inhibited";
  return bit(now, 3) ? "running" : "readyToRun";
}

function statusword(state: InverterState<SiemensPower>): number {
  const { power, word } = state;
  const runs = power === "running" || power === "off1" || power === "off3";
  return wordOf({
    0: runs || power === "ready" || power === "readyToRun",
    1: runs || power === "readyToRun",
    2: runs,
    3: power === "fault",
    4: bit(word, 1) && power !== "off2",
    5: bit(word, 2) && power !== "off3",
    6: power === "inhibited" || power === "off2",
    8: power === "running" && atSetPoint(state),
    9: true,
  });
}

function family(facts: SiemensFacts): InverterFamily<SiemensPower> {
  return {
    functions: [3, 6, 16],
    off: "inhibited",
    tripped: "fault",
    commandPoint: "controlword",
    setpointPoint: "setpoint",
    full,
    counts: (word) => bit(word, 10),
    next: nextSiemensPower,
    drive: (power, word) => {
      if (power === "running") return bit(word, 6) ? (bit(word, 5) ? "follow" : "hold") : "ramp";
      if (power === "off1") return "ramp";
      return power === "off3" ? "fast" : "coast";
    },
    atRest: (power) => {
      if (power === "off1") return "ready";
      return power === "off2" || power === "off3" ? "inhibited" : power;
    },
    ...(facts.processDataOnly
      ? { feeds: ({ points }) => points.some((point) => processData.has(point)) }
      : {}),
    codeSilence: facts.processDataOnly ? codeSilenceG120 : codeSilenceV20,
    codeOwn: 1,
    values: (state) => ({
      statusword: statusword(state),
      actual: Math.round((state.motion.speed * full) / 100),
    }),
  };
}

export function siemens(facts: SiemensFacts): Behaviour<InverterState<SiemensPower>> {
  return inverter(family(facts), facts);
}
