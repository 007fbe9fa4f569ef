/**
 * The rule machine by its full table: what was met before × what comes × what the rule says.
 * The idea: every cell is written down, and they are counted. It refuses a clock of its own.
 */
import { describe, expect, test } from "vitest";
import {
  nextRule,
  nextTelling,
  type RuleInput,
  type RuleState,
  ruleAtBoot,
  ruleEventsMax,
  tellingAtBoot,
  toldMax,
  toldWithinMs,
} from "../../../services/coordinator/rule.machine.js";

const openTs = 1_000_000;
const nowTs = openTs + 60_000;
const nowMs = 500_000;
const states = {
  "nothing met": ruleAtBoot,
  "another event 100 ms ago, started": {
    seen: [{ id: "other", ts: openTs }],
    lastMs: nowMs - 100,
    starts: [nowMs - 100],
  },
  "another event 5 s ago, started": {
    seen: [{ id: "other", ts: openTs }],
    lastMs: nowMs - 5000,
    starts: [nowMs - 5000],
  },
  "events up to 1 s ago forgotten": { seen: [], starts: [], forgottenTs: nowTs - 1000 },
  "this event met": {
    seen: [{ id: "e", ts: nowTs }],
    lastMs: nowMs - 5000,
    starts: [nowMs - 5000],
  },
} as const satisfies { readonly [name: string]: RuleState };
const came = (eventTs: number): RuleInput => {
  return { kind: "event", id: "e", eventTs, nowTs, openTs, nowMs };
};
const inputs = {
  "an event of now": came(nowTs),
  "an event of 11 s ago": came(nowTs - 11_000),
  "an event of 2 s ago": came(nowTs - 2000),
  "an event from before the start": came(openTs - 1),
  "an event of a time ahead": came(nowTs + 1001),
  "a refusal of the start 5 s ago": { kind: "refused", startedMs: nowMs - 5000 },
} as const satisfies { readonly [name: string]: RuleInput };
const rules = {
  plain: {},
  "debounce 1 s": { debounceMs: 1000 },
  "1 start in 10 s": { rate: { starts: 1, withinMs: 10_000 } },
} as const;
type S = keyof typeof states;
type I = keyof typeof inputs;
type R = keyof typeof rules;

function expected(state: S, input: I, rule: R): string {
  if (input === "a refusal of the start 5 s ago") {
    return state.includes("5 s ago") || state === "this event met" ? "not counted" : "nothing";
  }
  if (state === "this event met") return "known";
  if (input === "an event of a time ahead") return "ahead";
  if (input === "an event of 2 s ago" && state.includes("forgotten")) return "old";
  if (input !== "an event of now" && input !== "an event of 2 s ago") return "old";
  if (rule === "debounce 1 s" && state.includes("100 ms")) return "close";
  if (rule === "1 start in 10 s" && state.includes("started")) return "rate";
  return "start";
}

describe("the rule machine by its full table", () => {
  let cells = 0;
  for (const s of Object.keys(states) as S[]) {
    for (const i of Object.keys(inputs) as I[]) {
      for (const r of Object.keys(rules) as R[]) {
        cells += 1;
        const wanted = expected(s, i, r);
        test(`${s} + ${i} (${r}) → ${wanted}`, () => {
          const turn = nextRule(states[s], inputs[i], rules[r]);
          const { decision } = turn ?? {};
          const said =
            turn === undefined
              ? "nothing"
              : decision === undefined
                ? "not counted"
                : decision.kind === "start"
                  ? "start"
                  : decision.why;
          expect(said).toBe(wanted);
          if (inputs[i].kind === "event")
            expect(turn?.state.seen.map(({ id }) => id)).toContain("e");
          else if (turn !== undefined) expect(turn.state.starts).toEqual([]);
        });
      }
    }
  }
  test("every cell was looked at", () => expect(cells).toBe(5 * 6 * 3));

  test("MQ-01: the same event again, at once and after others, starts nothing more", () => {
    let state: RuleState = ruleAtBoot;
    let starts = 0;
    for (const id of ["a", "a", "b", "a", "b", "c", "a"]) {
      const turn = nextRule(state, { ...came(nowTs), id } as RuleInput, {});
      state = turn?.state ?? state;
      if (turn?.decision?.kind === "start") starts += 1;
    }
    expect(starts).toBe(3);
  });

  test(`remembers ${ruleEventsMax} events and no more`, () => {
    let state: RuleState = ruleAtBoot;
    for (let i = 0; i < ruleEventsMax + 50; i += 1) {
      state = nextRule(state, { ...came(nowTs), id: `e${i}` } as RuleInput, {})?.state ?? state;
    }
    expect(state.seen.length).toBe(ruleEventsMax);
    expect(state.starts).toEqual([]);
    // The first one is not remembered; its repeat is all the same no news.
    const again = nextRule(state, { ...came(nowTs), id: "e0" } as RuleInput, {});
    expect(again?.decision).toMatchObject({ kind: "ignored", why: "old" });
  });

  test(`${toldMax} refusals are told at once, the others counted with the next one`, () => {
    let state = tellingAtBoot;
    const told: number[] = [];
    for (let i = 0; i < 3 * toldMax; i += 1) {
      const turn = nextTelling(state, nowMs + i);
      state = turn.state;
      if (turn.told) told.push(i);
    }
    expect(told).toEqual(Array.from({ length: toldMax }, (_, i) => i));
    const later = nextTelling(state, nowMs + toldWithinMs);
    expect(later).toMatchObject({ told: true, untold: 2 * toldMax });
    expect(later.state.atMs.length).toBeLessThanOrEqual(toldMax);
  });
});
