/**
 * The states of the simulated inverters by full table: every state × every control word.
 *
 * The idea: the tables are written from the manuals' bit tables, cell by cell where the word makes
 * a difference. It refuses devices and time.
 */
import { describe, expect, it } from "vitest";
import { type AtvPower, atvStates, nextAtvPower } from "#simulators/behaviours/atv.js";
import {
  type DanfossPower,
  danfossStates,
  nextDanfossPower,
} from "#simulators/behaviours/danfoss-fc.js";
import {
  nextByBits,
  nextByValue,
  type VfdPower,
  vfdStates,
} from "#simulators/behaviours/generic-vfd.js";
import {
  nextSiemensPower,
  type SiemensPower,
  siemensStates,
} from "#simulators/behaviours/siemens-stw.js";

interface Family<P extends string> {
  readonly states: readonly P[];
  readonly words: { readonly [name: string]: number };
  readonly next: (power: P, words: { before: number; now: number }) => P;
  /** Only what differs from staying. */
  readonly table: { readonly [S in P]: { readonly [word: string]: P } };
}

function judge<P extends string>({ states, words, next, table }: Family<P>): number {
  let cells = 0;
  for (const state of states) {
    for (const [name, now] of Object.entries(words)) {
      cells += 1;
      const wanted = table[state][name] ?? state;
      const got = next(state, { before: 0, now });
      expect(`${state} ${name} → ${got}`).toBe(`${state} ${name} → ${wanted}`);
    }
  }
  return cells;
}

describe("every state × every word", () => {
  it("Siemens STW (8 × 7)", () => {
    const words = {
      off1: 0x047e,
      run: 0x047f,
      noRun: 0x0477,
      off2: 0x047d,
      off3: 0x047b,
      off12: 0x047c,
      reset: 0x04fe,
    };
    const waits = {
      run: "running",
      noRun: "readyToRun",
      off1: "ready",
      reset: "ready",
      off2: "inhibited",
      off3: "inhibited",
      off12: "inhibited",
    } as const;
    const turning = { off2: "off2", off3: "off3", off12: "off2" } as const;
    const family: Family<SiemensPower> = {
      states: siemensStates,
      words,
      next: nextSiemensPower,
      table: {
        inhibited: { off1: "ready", reset: "ready" },
        ready: waits,
        readyToRun: waits,
        running: { ...turning, off1: "off1", reset: "off1", noRun: "readyToRun" },
        off1: { ...turning, run: "running", noRun: "readyToRun" },
        off2: {},
        off3: { off2: "off2", off12: "off2" },
        fault: { reset: "inhibited" },
      },
    };
    expect(judge(family)).toBe(56);
  });

  it("Danfoss control word (6 × 7)", () => {
    const words = {
      stop: 0x043c,
      start: 0x047c,
      quick: 0x046c,
      coast: 0x0474,
      brake: 0x0478,
      quickOff: 0x042c,
      reset: 0x04bc,
    };
    const started = {
      stop: "ramping",
      start: "running",
      quick: "quick",
      coast: "coasting",
      brake: "ramping",
      quickOff: "quick",
      reset: "ramping",
    } as const;
    const family: Family<DanfossPower> = {
      states: danfossStates,
      words,
      next: nextDanfossPower,
      table: {
        idle: { start: "running" },
        running: started,
        ramping: started,
        quick: started,
        coasting: started,
        trip: { reset: "idle" },
      },
    };
    expect(judge(family)).toBe(42);
  });

  it("Altivar CMD (6 × 7)", () => {
    const words = {
      voltageOff: 0x00,
      quickStop: 0x02,
      shutdown: 0x06,
      switchOn: 0x07,
      run: 0x0f,
      reset: 0x80,
      resetReady: 0x86,
    };
    const off = { voltageOff: "off", reset: "off", quickStop: "off" } as const;
    const down = { shutdown: "ready", resetReady: "ready" } as const;
    const family: Family<AtvPower> = {
      states: atvStates,
      words,
      next: nextAtvPower,
      table: {
        off: down,
        ready: { ...off, switchOn: "switchedOn", run: "switchedOn" },
        switchedOn: { ...off, ...down, run: "enabled" },
        enabled: { ...off, ...down, switchOn: "switchedOn", quickStop: "quickStop" },
        quickStop: { voltageOff: "off", reset: "off" },
        fault: { reset: "off", resetReady: "off" },
      },
    };
    expect(judge(family)).toBe(42);
  });

  it("commands by value at 0x2000 (6 × 9)", () => {
    const words = Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => [`v${n}`, n]));
    const run = { v1: "forward", v2: "reverse" } as const;
    const end = { v5: "coasting", v6: "ramping" } as const;
    const family: Family<VfdPower> = {
      states: vfdStates,
      words,
      next: nextByValue,
      table: {
        stopped: run,
        forward: { ...run, ...end },
        reverse: { ...run, ...end },
        ramping: { ...run, ...end },
        coasting: { ...run, ...end },
        fault: { v7: "stopped" },
      },
    };
    expect(judge(family)).toBe(54);
  });

  it("commands by bits at 0x2000 (6 × 4)", () => {
    const words = { none: 0, stop: 0x01, forward: 0x12, reverse: 0x22 };
    const run = { forward: "forward", reverse: "reverse" } as const;
    const all = { ...run, stop: "ramping" } as const;
    const family: Family<VfdPower> = {
      states: vfdStates,
      words,
      next: nextByBits,
      table: {
        stopped: run,
        forward: all,
        reverse: all,
        ramping: all,
        coasting: all,
        fault: {},
      },
    };
    expect(judge(family)).toBe(24);
  });
});

describe("an edge is needed for a reset: the bit that stays does nothing", () => {
  it.each([
    ["Siemens", () => nextSiemensPower("fault", { before: 0x04fe, now: 0x04fe }), "fault"],
    ["Danfoss", () => nextDanfossPower("trip", { before: 0x04bc, now: 0x04bc }), "trip"],
    ["Altivar", () => nextAtvPower("fault", { before: 0x80, now: 0x80 }), "fault"],
  ])("%s", (_maker, next, stays) => {
    expect(next()).toBe(stays);
  });
});
