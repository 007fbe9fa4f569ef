/**
 * The power states of CiA 402: what a control word does to them and how they show.
 *
 * The idea: one table, read from the standard's state diagram and from the Kinco manual where it
 * differs: quick stop stands until 0x06 [Kinco FD5P p.139], and 0x0F from "ready" goes through
 * "switched on" by itself. Pure; it refuses to know modes and motion.
 */
import { bit } from "./behaviour.js";

export const powerStates = [
  "switchOnDisabled",
  "ready",
  "switchedOn",
  "enabled",
  "quickStop",
  "fault",
] as const;
export type PowerState = (typeof powerStates)[number];

export type PowerCommand =
  | "disableVoltage"
  | "quickStop"
  | "shutdown"
  | "switchOn"
  | "enableOperation"
  | "none";

/** What bits 0–3 of a control word ask for. Bit 7 asks for a fault reset and for nothing else. */
export function powerCommand(word: number): PowerCommand {
  if (bit(word, 7)) return "none";
  if (!bit(word, 1)) return "disableVoltage";
  if (!bit(word, 2)) return "quickStop";
  if (!bit(word, 0)) return "shutdown";
  return bit(word, 3) ? "enableOperation" : "switchOn";
}

const transitions: Readonly<Record<PowerState, Partial<Record<PowerCommand, PowerState>>>> = {
  switchOnDisabled: { shutdown: "ready" },
  ready: {
    disableVoltage: "switchOnDisabled",
    quickStop: "switchOnDisabled",
    switchOn: "switchedOn",
    enableOperation: "enabled",
  },
  switchedOn: {
    disableVoltage: "switchOnDisabled",
    quickStop: "switchOnDisabled",
    shutdown: "ready",
    enableOperation: "enabled",
  },
  enabled: {
    disableVoltage: "switchOnDisabled",
    quickStop: "quickStop",
    shutdown: "ready",
    switchOn: "switchedOn",
  },
  quickStop: { disableVoltage: "switchOnDisabled", shutdown: "ready" },
  fault: {},
};

/** The state after a control word. A fault ends only by a rising edge of bit 7. */
export function nextPower(
  state: PowerState,
  words: { readonly before: number; readonly now: number },
): PowerState {
  if (state === "fault") {
    const edge = bit(words.now, 7) && !bit(words.before, 7);
    return edge ? "switchOnDisabled" : "fault";
  }
  return transitions[state][powerCommand(words.now)] ?? state;
}

const shown: Readonly<Record<PowerState, number>> = {
  switchOnDisabled: 0x0040,
  ready: 0x0031,
  switchedOn: 0x0033,
  enabled: 0x0037,
  quickStop: 0x0017,
  fault: 0x0008,
};

/** Bits 0–6 of the status word; bit 4 says that the power stage has voltage. */
export function powerBits(state: PowerState): number {
  return shown[state];
}
