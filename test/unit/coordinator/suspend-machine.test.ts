/**
 * The suspend machine by its full table: what it counts as × since when × what is said.
 * The idea: the cells are counted. It refuses a clock of its own.
 */
import { describe, expect, test } from "vitest";
import { nextSuspend, suspendAfterMs } from "../../../services/coordinator/suspend.machine.js";

const nowMs = 10_000;
const since = {
  "never changed": undefined,
  "changed just now": nowMs,
  "changed 1 ms too late": nowMs - suspendAfterMs + 1,
  "changed long enough ago": nowMs - suspendAfterMs,
} as const;

describe("the suspend machine by its full table", () => {
  let cells = 0;
  for (const holds of [false, true]) {
    for (const [name, changedMs] of Object.entries(since)) {
      for (const says of [undefined, false, true]) {
        cells += 1;
        test(`counts as ${holds}, ${name}, says ${says}`, () => {
          const state = changedMs === undefined ? { holds } : { holds, changedMs };
          const turn = nextSuspend(state, says, nowMs);
          if (says === undefined || says === holds) {
            expect(turn).toEqual({ state: { holds } });
          } else if (name === "changed long enough ago") {
            expect(turn).toEqual({ state: { holds: says }, changed: says });
          } else {
            const from = changedMs ?? nowMs;
            const waits = { holds, changedMs: from };
            expect(turn).toEqual({ state: waits, dueMs: from + suspendAfterMs });
          }
        });
      }
    }
  }
  test("every cell was looked at", () => expect(cells).toBe(2 * 4 * 3));

  test("a part that passes the sensor does not suspend the cell", () => {
    let state = { holds: false };
    for (let ms = 0; ms < 5000; ms += 50) {
      const turn = nextSuspend(state, ms % 250 < 200, ms);
      state = turn.state;
      expect(turn.changed).toBeUndefined();
    }
  });
});
