/**
 * Cheap inverters: a command register at 0x2000 that is written only, a state of a few numbers.
 *
 * The idea: two shapes. Values (MD310, H2A): 1 forward, 2 reverse, 5 coast, 6 ramp, 7 reset; state
 * 1, 2, 3; set-point ±10000 [MD500 p.703]. Bits (Delta MS300): 0x12 forward, 0x22 reverse, 0x01
 * stop, reset apart at 0x2002; set-point in 0.01 Hz [MS300 p.1021]. A command starts nothing while
 * there is a fault. It refuses addresses.
 */
import { type Behaviour, bit, type Registers, type Touched } from "./behaviour.js";
import {
  type InverterFacts,
  type InverterFamily,
  type InverterState,
  inverter,
} from "./inverter.js";

export const vfdStates = ["stopped", "forward", "reverse", "ramping", "coasting", "fault"] as const;
export type VfdPower = (typeof vfdStates)[number];

export interface VfdFacts extends InverterFacts {
  /** Hz. */
  readonly maxFrequency: number;
}

const codeSilence = 0x10;
const codeOwn = 4;

function stopping(state: VfdPower, how: "ramping" | "coasting"): VfdPower {
  return state === "stopped" ? "stopped" : how;
}

export function nextByValue(state: VfdPower, { now }: { before: number; now: number }): VfdPower {
  if (state === "fault") return now === 7 ? "stopped" : "fault";
  switch (now) {
    case 1:
      return "forward";
    case 2:
      return "reverse";
    case 5:
      return stopping(state, "coasting");
    case 6:
      return stopping(state, "ramping");
    default:
      return state;
  }
}

export function nextByBits(state: VfdPower, { now }: { before: number; now: number }): VfdPower {
  if (state === "fault") return "fault";
  if ((now & 3) === 1) return stopping(state, "ramping");
  if ((now & 3) !== 2) return state;
  return (now & 0x30) === 0x20 ? "reverse" : "forward";
}

function resetBit(power: VfdPower, registers: Registers, touched: readonly Touched[]): VfdPower {
  const asked = touched.some(({ points }) => points.includes("reset"));
  return power === "fault" && asked && bit(registers("reset"), 1) ? "stopped" : power;
}

const shared = {
  off: "stopped",
  tripped: "fault",
  commandPoint: "command",
  setpointPoint: "setpoint",
  drive: (power: VfdPower) => {
    if (power === "forward") return "follow";
    return power === "ramping" ? "ramp" : "coast";
  },
  atRest: (power: VfdPower): VfdPower =>
    power === "ramping" || power === "coasting" ? "stopped" : power,
  codeSilence,
  codeOwn,
} as const;

/** 0.01 Hz without a sign. */
function frequency(state: InverterState<VfdPower>, { maxFrequency }: VfdFacts): number {
  return Math.round(Math.abs(state.motion.speed) * maxFrequency);
}

export function vfdByValue(facts: VfdFacts): Behaviour<InverterState<VfdPower>> {
  const family: InverterFamily<VfdPower> = {
    ...shared,
    functions: [3, 6],
    full: 10_000,
    next: nextByValue,
    values: (state) => {
      const turns = state.power === "ramping" || state.power === "forward";
      const runState = turns ? 1 : state.power === "reverse" ? 2 : 3;
      return { runState, actual: frequency(state, facts), faultCode: state.code };
    },
  };
  return inverter(family, facts);
}

export function vfdByBits(facts: VfdFacts): Behaviour<InverterState<VfdPower>> {
  const family: InverterFamily<VfdPower> = {
    ...shared,
    functions: [3, 6, 16],
    full: 100 * facts.maxFrequency,
    next: nextByBits,
    besides: resetBit,
    values: (state) => {
      const runs = state.power === "forward" || state.power === "reverse";
      const standby = runs && state.motion.speed === 0 && state.reference === 0;
      const runState = standby ? 2 : runs ? 3 : state.power === "ramping" ? 1 : 0;
      return { runState, actual: frequency(state, facts), faultCode: state.code };
    },
  };
  return inverter(family, facts);
}
