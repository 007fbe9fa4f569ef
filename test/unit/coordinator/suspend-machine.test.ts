/**
 * The suspend machine by its full table: what it counts as × since when × what is said.
 * The idea: the cells are counted. It refuses a clock of its own.
 */
import { describe, expect, test } from "vitest";
import {
  nextSuspend,
  type SuspendInput,
  type SuspendState,
  type SuspendTurn,
  suspendAfterMs,
  suspends,
} from "../../../services/coordinator/suspend.machine.js";

const nowMs = 10_000;
const since = {
  "never changed": undefined,
  "changed just now": nowMs,
  "changed 1 ms too late": nowMs - suspendAfterMs + 1,
  "changed long enough ago": nowMs - suspendAfterMs,
} as const;

const inputs = {
  "says nothing": { kind: "says", holds: undefined },
  "says no": { kind: "says", holds: false },
  "says yes": { kind: "says", holds: true },
  "is overruled": { kind: "overruled" },
  "production is over": { kind: "over" },
} as const satisfies { readonly [name: string]: SuspendInput };

describe("the suspend machine by its full table", () => {
  let cells = 0;
  for (const held of [
    { holds: false },
    { holds: true },
    { holds: true, overruled: true },
  ] as const) {
    for (const [name, changedMs] of Object.entries(since)) {
      for (const [what, input] of Object.entries(inputs)) {
        cells += 1;
        test(`counts as ${JSON.stringify(held)}, ${name}, ${what}`, () => {
          const state = changedMs === undefined ? held : { ...held, changedMs };
          const turn = nextSuspend(state, input, nowMs);
          expect(turn).toEqual(expected(state, input));
        });
      }
    }
  }
  test("every cell was looked at", () => expect(cells).toBe(3 * 4 * 5));

  function expected(state: SuspendState, input: SuspendInput): SuspendTurn {
    const { holds, changedMs, overruled } = state;
    const ruled = overruled === undefined ? {} : { overruled };
    const since = changedMs === undefined ? {} : { changedMs };
    if (input.kind === "over") return { state: { holds, ...since } };
    if (input.kind === "overruled") {
      return { state: holds ? { holds, ...since, overruled: true } : state };
    }
    if (input.holds === undefined || input.holds === holds) return { state: { holds, ...ruled } };
    const from = changedMs ?? nowMs;
    if (nowMs - from >= suspendAfterMs) return { state: { holds: input.holds } };
    return { state: { holds, ...ruled, changedMs: from }, dueMs: from + suspendAfterMs };
  }

  test("overruled, it suspends nothing until it has not held and holds again", () => {
    let state: SuspendState = { holds: true };
    const feed = (input: SuspendInput, atMs: number) => {
      state = nextSuspend(state, input, atMs, 0).state;
      return suspends(state);
    };
    expect(suspends(state)).toBe(true);
    expect(feed({ kind: "overruled" }, 1)).toBe(false);
    expect(feed({ kind: "says", holds: true }, 2)).toBe(false);
    expect(feed({ kind: "says", holds: undefined }, 3)).toBe(false);
    expect(feed({ kind: "says", holds: false }, 4)).toBe(false);
    expect(feed({ kind: "says", holds: true }, 5)).toBe(true);
  });

  test("a part that passes the sensor does not suspend the cell", () => {
    let state = { holds: false };
    for (let ms = 0; ms < 5000; ms += 50) {
      state = nextSuspend(state, { kind: "says", holds: ms % 250 < 200 }, ms).state;
      expect(state.holds).toBe(false);
    }
  });
});
