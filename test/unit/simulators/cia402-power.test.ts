/**
 * The power states of CiA 402 by full table: every state × every command.
 *
 * The idea: the table is written out again from the register facts, and its cells are counted. It
 * refuses to know modes.
 */

import { expect, test } from "vitest";
import {
  nextPower,
  type PowerState,
  powerBits,
  powerStates,
} from "#simulators/behaviours/cia402-power.js";

const words = {
  disableVoltage: 0x00,
  quickStop: 0x02,
  quickStopKinco: 0x0b,
  shutdown: 0x06,
  switchOn: 0x07,
  enable: 0x0f,
  resetOnly: 0x80,
  resetWithShutdown: 0x86,
} as const;
type Word = keyof typeof words;

const table: Record<PowerState, Partial<Record<Word, PowerState>>> = {
  switchOnDisabled: { shutdown: "ready" },
  ready: {
    disableVoltage: "switchOnDisabled",
    quickStop: "switchOnDisabled",
    quickStopKinco: "switchOnDisabled",
    switchOn: "switchedOn",
    enable: "enabled",
  },
  switchedOn: {
    disableVoltage: "switchOnDisabled",
    quickStop: "switchOnDisabled",
    quickStopKinco: "switchOnDisabled",
    shutdown: "ready",
    enable: "enabled",
  },
  enabled: {
    disableVoltage: "switchOnDisabled",
    quickStop: "quickStop",
    quickStopKinco: "quickStop",
    shutdown: "ready",
    switchOn: "switchedOn",
  },
  quickStop: { disableVoltage: "switchOnDisabled", shutdown: "ready" },
  fault: { resetOnly: "switchOnDisabled", resetWithShutdown: "switchOnDisabled" },
};

test("every state × every control word has its one successor (6 × 8)", () => {
  let cells = 0;
  for (const state of powerStates) {
    for (const [name, now] of Object.entries(words)) {
      cells += 1;
      const expected = table[state][name as Word] ?? state;
      expect(`${state} ${name} ${nextPower(state, { before: 0, now })}`).toBe(
        `${state} ${name} ${expected}`,
      );
    }
  }
  expect(cells).toBe(48);
});

test("MO-10: a reset bit that was high already resets nothing; its next edge does", () => {
  expect(nextPower("fault", { before: 0x80, now: 0x80 })).toBe("fault");
  expect(nextPower("fault", { before: 0x00, now: 0x80 })).toBe("switchOnDisabled");
});

test("each state shows itself by the mask and value of the register facts", () => {
  const facts: Record<PowerState, readonly [number, number]> = {
    switchOnDisabled: [0x4f, 0x40],
    ready: [0x6f, 0x21],
    switchedOn: [0x6f, 0x23],
    enabled: [0x6f, 0x27],
    quickStop: [0x6f, 0x07],
    fault: [0x4f, 0x08],
  };
  for (const state of powerStates) {
    const [mask, value] = facts[state];
    expect(powerBits(state) & mask).toBe(value);
    const others = powerStates.filter((other) => {
      const [m, v] = facts[other];
      return (powerBits(state) & m) === v;
    });
    expect(others).toEqual([state]);
  }
});
