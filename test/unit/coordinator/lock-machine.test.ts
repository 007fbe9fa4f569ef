/**
 * Devices of runs as locks: the full table of a claim, and fairness over random runs.
 *
 * The idea: every kind of a waiting run beside every kind of another; then 200 runs over 50
 * devices, and random ones by the hundred, played to their end. Refuses to believe in fairness
 * without counting who was passed by whom.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  blockersOf,
  type Claim,
  type LockState,
  locksAtBoot,
  nextLocks,
  overtakesMax,
} from "../../../services/coordinator/lock.machine.js";

function claim(run: string, devices: string, waits: boolean, priority = 5): Claim {
  return { run, devices: devices.split(""), waits, priority };
}

describe("the table: a run that waits for a and b, beside another one", () => {
  const others = {
    none: undefined,
    "has a": claim("o", "a", false),
    "has c": claim("o", "c", false),
    "waits for b": claim("o", "b", true),
    "waits for b, higher": claim("o", "b", true, 9),
    "waits for b, lower": claim("o", "b", true, 1),
    "waits for c": claim("o", "c", true),
  } as const;
  const passed = { never: 0, "once too few": overtakesMax - 1, enough: overtakesMax } as const;
  const wanted: { readonly [O in keyof typeof others]: readonly [string, string] } = {
    // What is granted when the other came before it, and after it.
    none: ["m", "m"],
    "has a": ["", ""],
    "has c": ["m", "m"],
    "waits for b": ["o", "m"],
    "waits for b, higher": ["o", "o"],
    "waits for b, lower": ["m", "m"],
    "waits for c": ["o m", "m o"],
  };
  let cells = 0;
  for (const [name, other] of Object.entries(others)) {
    for (const [often, count] of Object.entries(passed)) {
      for (const place of ["before", "after"] as const) {
        cells += 1;
        test(`the other ${name}, ${place} it; it was passed ${often}`, () => {
          const mine = claim("m", "ab", true);
          const both = other === undefined ? [mine] : [other, mine];
          const claims = place === "before" ? both : both.toReversed();
          const { granted, state } = nextLocks({ m: count, gone: 3 }, claims);
          const [before, after] = wanted[name as keyof typeof wanted];
          let expected = place === "before" ? before : after;
          // Passed often enough: by arrival alone.
          if (count >= overtakesMax && name.startsWith("waits for b")) {
            expected = place === "before" ? "o" : "m";
          }
          expect(granted.join(" ")).toBe(expected);
          expect(Object.keys(state)).not.toContain("gone");
          // Only a run that came later passes.
          const isPassed = !granted.includes("m") && granted.includes("o") && place === "after";
          expect(state.m).toBe(granted.includes("m") ? undefined : count + (isPassed ? 1 : 0));
        });
      }
    }
  }
  test("every cell was looked at", () => expect(cells).toBe(7 * 3 * 2));
});

test("who waits keeps its devices free of everybody behind it, also those that it could have", () => {
  const claims = [
    claim("has-a", "a", false),
    claim("wants-ab", "ab", true),
    claim("wants-b", "b", true),
  ];
  const { state, granted } = nextLocks(locksAtBoot, claims);
  expect(granted).toEqual([]);
  expect(blockersOf(state, claims)).toEqual(
    new Map([
      ["wants-ab", [{ device: "a", run: "has-a", has: true }]],
      ["wants-b", [{ device: "b", run: "wants-ab", has: false }]],
    ]),
  );
});

test("a run of no device waits for nobody", () => {
  expect(nextLocks(locksAtBoot, [{ ...claim("m", "a", true), devices: [] }]).granted).toEqual([
    "m",
  ]);
});

/** Plays runs that come one by one and end some time after they were granted. */
class Play {
  state: LockState = locksAtBoot;
  claims: Claim[] = [];
  readonly passes = new Map<string, number>();
  readonly order: string[] = [];
  sizeMax = 0;

  come(one: Claim): void {
    this.claims.push(one);
    this.look();
  }

  end(run: string): void {
    this.claims = this.claims.filter((other) => other.run !== run);
    this.look();
  }

  get having(): readonly Claim[] {
    return this.claims.filter(({ waits }) => !waits);
  }

  look(): void {
    const before = this.claims;
    const turn = nextLocks(this.state, before);
    this.state = turn.state;
    this.claims = before.map((one) =>
      turn.granted.includes(one.run) ? { ...one, waits: false } : one,
    );
    this.order.push(...turn.granted);
    this.sizeMax = Math.max(this.sizeMax, Object.keys(turn.state).length);
    for (const [i, one] of before.entries()) {
      if (!one.waits || turn.granted.includes(one.run)) continue;
      const later = before.slice(i + 1).filter(({ run }) => turn.granted.includes(run));
      const by = later.filter(({ devices }) => devices.some((d) => one.devices.includes(d)));
      for (const { priority } of by) expect(priority).toBeGreaterThan(one.priority);
      this.passes.set(one.run, (this.passes.get(one.run) ?? 0) + by.length);
    }
    const taken = this.having.flatMap(({ devices }) => devices);
    expect(new Set(taken).size).toBe(taken.length);
  }
}

function most(play: Play): number {
  return Math.max(0, ...play.passes.values());
}

/** A small generator of its own, so that a run of the test is given back by its seed. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function playRandom(seed: number, size: { readonly runs: number; readonly devices: number }): Play {
  const below = random(seed);
  const play = new Play();
  let come = 0;
  let ended = 0;
  while (ended < size.runs) {
    const { having } = play;
    const comes = come < size.runs && (having.length === 0 || below(3) > 0);
    if (comes) {
      const count = 1 + below(Math.min(4, size.devices));
      const devices = new Set(Array.from({ length: count }, () => `d${below(size.devices)}`));
      const priority = below(10) < 7 ? 5 : below(10);
      play.come({ run: `r${come}`, devices: [...devices].sort(), waits: true, priority });
      come += 1;
      continue;
    }
    const next = having[below(having.length)];
    // Nobody has anything and somebody waits: that would be a deadlock.
    if (next === undefined) throw new Error(`nobody goes on (seed ${seed})`);
    play.end(next.run);
    ended += 1;
  }
  return play;
}

test("200 runs over 50 devices: all end, none passed more often than the bound, memory bounded", () => {
  const play = playRandom(11, { runs: 200, devices: 50 });
  expect(play.order).toHaveLength(200);
  expect(most(play)).toBeLessThanOrEqual(overtakesMax);
  expect(play.state).toEqual({});
  expect(play.sizeMax).toBeLessThanOrEqual(200);
});

test("random runs over 1 to 12 devices: nobody starves, whatever the priorities", () => {
  let passedMost = 0;
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, devices) => {
      const play = playRandom(seed, { runs: 60, devices });
      expect(play.order).toHaveLength(60);
      passedMost = Math.max(passedMost, most(play));
    }),
    { numRuns: 300, seed: 3 },
  );
  expect(passedMost).toBeLessThanOrEqual(overtakesMax);
  // The priorities did pass somebody, or the bound was never tried.
  expect(passedMost).toBeGreaterThan(2);
});

test("a flood of higher priority passes a waiting run exactly as often as the bound", () => {
  const play = new Play();
  play.come(claim("first", "a", true, 9));
  play.come(claim("low", "ab", true, 0));
  let flood = 0;
  while (!play.order.includes("low")) {
    play.come(claim(`h${flood}`, "a", true, 9));
    flood += 1;
    const [holder] = play.having;
    if (holder === undefined || flood > 100) throw new Error("low never came");
    play.end(holder.run);
  }
  expect(play.passes.get("low")).toBe(overtakesMax);
});
