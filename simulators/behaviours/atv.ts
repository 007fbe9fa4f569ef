/**
 * A Schneider Altivar: CiA 402 states behind CMD and ETA, speeds in rpm.
 *
 * The idea: 6, 7 and 15 lead from 0x50 (off) over 0x31 and 0x33 to 0x37; 0 takes the voltage away,
 * 2 stops quickly, b7 resets at its edge; 7 while running ramps down. TTO (0.1 s) is watched, and
 * SLL says what happens: 0, 4 and 5 go on [hilch/ac_invlib, ECFG]. It refuses addresses.
 */
import { type Behaviour, bit, type Registers } from "./behaviour.js";
import {
  atSetPoint,
  type InverterFacts,
  type InverterFamily,
  type InverterState,
  inverter,
} from "./inverter.js";

export const atvStates = ["off", "ready", "switchedOn", "enabled", "quickStop", "fault"] as const;
export type AtvPower = (typeof atvStates)[number];

export interface AtvFacts extends InverterFacts {
  /** Motor rpm at 100 %. */
  readonly ratedSpeed: number;
}

const codeSilence = 5;
const codeOwn = 9;
/** SLL: the drive goes on, with another speed or as before. */
const goesOn: ReadonlySet<number> = new Set([0, 4, 5]);

export function nextAtvPower(
  state: AtvPower,
  { before, now }: { before: number; now: number },
): AtvPower {
  if (state === "fault") return bit(now, 7) && !bit(before, 7) ? "off" : "fault";
  if (!bit(now, 1)) return "off";
  if (!bit(now, 2)) return state === "enabled" || state === "quickStop" ? "quickStop" : "off";
  if (state === "quickStop") return "quickStop";
  if (!bit(now, 0)) return "ready";
  // From off only 6 leads on.
  if (state === "off") return "off";
  if (!bit(now, 3)) return "switchedOn";
  return state === "ready" ? "switchedOn" : "enabled";
}

const words: Readonly<Record<AtvPower, number>> = {
  off: 0x50,
  ready: 0x31,
  switchedOn: 0x33,
  enabled: 0x37,
  quickStop: 0x17,
  fault: 0x18,
};

function statusword(state: InverterState<AtvPower>, facts: InverterFacts): number {
  const reached = state.power === "enabled" && atSetPoint(state) ? 0x400 : 0;
  return words[state.power] | (facts.remote ? 0x200 : 0) | reached;
}

function watchdog(registers: Registers): number {
  const reaction = registers("communicationReaction");
  return goesOn.has(reaction) ? 0 : 100 * registers("communicationTimeout");
}

export function atv(facts: AtvFacts): Behaviour<InverterState<AtvPower>> {
  const family: InverterFamily<AtvPower> = {
    functions: [3, 6, 16, 23],
    off: "off",
    tripped: "fault",
    defaults: { communicationTimeout: 100, communicationReaction: 1 },
    commandPoint: "controlword",
    setpointPoint: "setpoint",
    full: facts.ratedSpeed,
    next: nextAtvPower,
    drive: (power) => {
      if (power === "enabled") return "follow";
      if (power === "switchedOn") return "ramp";
      return power === "quickStop" ? "fast" : "coast";
    },
    atRest: (power) => (power === "quickStop" ? "off" : power),
    watchdog,
    codeSilence,
    codeOwn,
    values: (state) => ({
      statusword: statusword(state, facts),
      actual: Math.round((state.motion.speed * facts.ratedSpeed) / 100),
      motorCurrent: state.motion.speed === 0 ? 0 : 12,
      lastFault: state.code,
    }),
  };
  return inverter(family, facts);
}
