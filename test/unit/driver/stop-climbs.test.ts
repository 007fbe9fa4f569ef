/**
 * The stop machine played through: escalation, proof of standstill, owed stops, latches.
 *
 * The idea: inputs with their times go in, what is sent and said comes out. It refuses to look at
 * frames: this is the machine alone.
 */
import { describe, expect, it } from "vitest";
import { latchesMax } from "#kernel/stop-order.js";
import { nextStop } from "../../../services/driver/stop.machine.js";
import { ladderOf } from "../../../services/driver/stop-ladder.js";
import {
  isLatched,
  lateCopyMs,
  recentMax,
  resetsMax,
  type StopInput,
  type StopState,
  stopAtBoot,
} from "../../../services/driver/stop-state.js";
import { bare, order, play, rules, stills, tick } from "./stop-play.js";

describe("stop machine, climbs and latches", () => {
  it("controlled, then fast, then owed: an axis that falls is never disabled by itself", () => {
    const { state, said } = play(bare, [
      [0, order("s1")],
      [2999, tick],
      [3000, tick],
      [5000, tick],
      [60_000, tick],
    ]);
    expect(said).toEqual(["0 controlled", "3000 fast", "unconfirmed"]);
    expect(state.progress.at).toBe("owed");
  });

  it("an axis that stays is disabled as the last class, and not again by repetition", () => {
    const answered = (attempt: number): StopInput => {
      return { kind: "frame", attempt, outcome: "acked", sentAtMs: 0 };
    };
    const { said } = play(
      bare,
      [
        [0, order("s1")],
        [1, answered(2)],
        [3000, tick],
        [3001, answered(3)],
        [5000, tick],
        [5001, answered(4)],
        [6000, tick],
        [7000, tick],
      ],
      { whenOff: "stays" },
    );
    expect(said).toEqual(["0 controlled", "3000 fast", "5000 disable", "unconfirmed", "7000 fast"]);
  });

  it("frames that get lost are repeated five times a second at most, within the bound", () => {
    const lost = (attempt: number): StopInput => {
      return { kind: "frame", attempt, outcome: "lost", sentAtMs: 0 };
    };
    const steps: (readonly [number, StopInput])[] = [[0, order("s1")]];
    for (let ms = 10; ms < 1000; ms += 10) {
      steps.push([ms, lost(1 + Math.ceil(ms / 200))], [ms, tick]);
    }
    const { said } = play(bare, steps);
    expect(said).toEqual([0, 200, 400, 600, 800].map((ms) => `${ms} controlled`));
  });

  it("one still reading is no proof, nor are two without the end of the class", () => {
    const still = (ms: number): StopInput => ({ kind: "reading", sentAtMs: ms, still: true });
    const acked: StopInput = { kind: "frame", attempt: 2, outcome: "acked", sentAtMs: 10 };
    const ended: StopInput = { kind: "classEnd", attempt: 2, ok: true, answered: true };
    const begun = play(bare, [
      [10, order("s1")],
      [12, acked],
      [30, still(20)],
      [50, still(40)],
    ]);
    expect(begun.state.progress.at).toBe("stopping");
    expect(play(begun.state, [[60, ended]]).said).toEqual(["confirmed"]);
    const one = play(bare, [
      [10, order("s1")],
      [12, acked],
      [13, ended],
      [30, still(20)],
    ]);
    expect(one.state.progress.at).toBe("stopping");
  });

  it("a repeat of a confirmed stop sends nothing while the axis is still, and again if it moves", () => {
    const confirmed = { ...bare, recent: ["s1"], latches: ["s1"] };
    expect(play(confirmed, [[0, order("s1")]], { still: true }).said).toEqual(["confirmed"]);
    expect(play(confirmed, [[0, order("s1")]]).said).toEqual(["0 controlled"]);
  });

  it("interleaving 21: a reset for stop 1 crosses stop 2: stop 2 stays latched", () => {
    const { state } = play(bare, [
      [0, order("s1")],
      [1, order("s2")],
      [2, { kind: "reset", ids: ["s1"] }],
      [3, { kind: "adopt", ids: ["s1"], act: false }],
    ]);
    expect(state.latches).toEqual(["s2"]);
    expect(isLatched(state)).toBe(true);
  });

  it("boots as latched until state/stop was seen, even when it names nothing", () => {
    const booted = stopAtBoot([], []);
    expect(isLatched(booted)).toBe(true);
    const seen = nextStop(booted, { kind: "adopt", ids: [], act: false }, rules)?.state;
    expect(seen !== undefined && isLatched(seen)).toBe(false);
  });

  it("remembers a bounded number of resets, the newest", () => {
    const ids = Array.from({ length: resetsMax + 5 }, (_, i) => `r${i}`);
    const state = ids.reduce((now, id) => {
      return nextStop(now, { kind: "reset", ids: [id] }, rules)?.state ?? now;
    }, bare);
    expect(state.resets).toHaveLength(resetsMax);
    expect(state.resets.at(-1)).toBe(`r${resetsMax + 4}`);
  });

  it("remembers a bounded number of ended stops", () => {
    let state = bare;
    for (let i = 0; i < recentMax + 3; i += 1) {
      const step = nextStop(state, order(`n${i}`), { ...rules, whenOff: undefined });
      state = step?.state ?? state;
    }
    expect(state.recent).toHaveLength(recentMax);
  });

  it("holds a bounded number of latches; state/stop brings the others back after a reset", () => {
    const ids = Array.from({ length: latchesMax + 2 }, (_, i) => `l${i}`);
    const full = ids.reduce((now, id) => nextStop(now, order(id), rules)?.state ?? now, bare);
    expect(full.latches).toHaveLength(latchesMax);
    const room = nextStop(full, { kind: "reset", ids: ["l0", "l1"] }, rules)?.state ?? full;
    const adopted = nextStop(room, { kind: "adopt", ids: ids.slice(2), act: false }, rules)?.state;
    expect(adopted?.latches).toEqual(ids.slice(2));
  });

  it.each([
    ["still", true],
    ["moving", false],
  ])("an order just after its reset, axis %s: it stops, and does not latch again", (_, still) => {
    const step = nextStop(bare, order("old"), { ...rules, still });
    const kinds = (step?.effects ?? []).map(({ kind }) => kind);
    expect(kinds).toEqual(["send", "endLease", "ack", "began"]);
    expect(step?.state).toMatchObject({ latches: [], resets: ["old"], generation: 6 });
  });

  it("the reset of another stop makes no late copy of an order", () => {
    const before = { ...bare, resets: ["old", "hmi"], resetAtMs: new Map([["hmi", 0]]) };
    const again = nextStop(before, { kind: "reset", ids: ["other"] }, rules)?.state ?? before;
    const step = nextStop(again, order("hmi"), rules);
    expect(step?.state).toMatchObject({ latches: ["hmi"], resets: ["old", "other"] });
  });

  it("a sender that always stops under one id is never without a stop", () => {
    const { said, state } = play({ ...bare, resets: [] }, [
      [0, order("hmi")],
      [10, { kind: "frame", attempt: 2, outcome: "acked", sentAtMs: 1 }],
      [11, { kind: "classEnd", attempt: 2, ok: true, answered: true }],
      [30, { kind: "reading", sentAtMs: 20, still: true }],
      [50, { kind: "reading", sentAtMs: 40, still: true }],
      [5000, { kind: "reset", ids: ["hmi"] }],
      [5000 + lateCopyMs - 1, order("hmi")],
      [5000 + lateCopyMs, order("hmi")],
    ]);
    const last = `${5000 + lateCopyMs - 1} controlled`;
    expect(said).toEqual(["0 controlled", "confirmed", last]);
    expect(state).toMatchObject({ latches: ["hmi"], generation: 7 });
  });

  it("an order that the broker has kept since before its reset stops nothing, however late", () => {
    const nowMs = 9500 + 10 * lateCopyMs;
    const { said, state } = play(bare, [[nowMs, order("old", { kept: true })]]);
    expect([said, state.latches]).toEqual([[], []]);
  });

  it("after a restart of the driver an order under an id that was reset stops", () => {
    const { said } = play({ ...stopAtBoot([], ["old"]), seen: true }, [[3, order("old")]]);
    expect(said).toEqual(["3 controlled"]);
  });

  it("a quickStop under the id of a controlled stop is no repeat of it: it climbs", () => {
    const { said, state } = play(bare, [
      [0, order("s1")],
      [50, order("s1", { stop: "quickStop" })],
      [60, order("s1", { stop: "quickStop" })],
    ]);
    expect(said).toEqual(["0 controlled", "50 fast"]);
    expect(state.progress).toMatchObject({ ids: ["s1"] });
  });

  it("an abort under the id of a stop that is confirmed, or under way, takes the power", () => {
    const stays = { whenOff: "stays" } as const;
    const abort = order("s1", { stop: "abort" });
    const stopped = { ...bare, recent: ["s1"], latches: ["s1"] };
    expect(play(stopped, [[0, abort]], { ...stays, still: true }).said).toEqual(["0 fast"]);
    const quick = order("s1", { stop: "quickStop" });
    const under = play(
      bare,
      [
        [0, quick],
        [50, abort],
      ],
      stays,
    );
    expect([under.said, under.state.progress]).toMatchObject([["0 fast"], { off: true }]);
  });

  it("copies of an abort are answered, and copies of the stop before it", () => {
    const aborted = { ...bare, recent: ["s1"], aborted: ["s1"], latches: ["s1"] };
    const copies = [order("s1", { stop: "abort" }), order("s1")].map((one) => [0, one] as const);
    const { said } = play(aborted, copies, { whenOff: "stays", still: true });
    expect(said).toEqual(["confirmed", "confirmed"]);
  });

  it.each([
    ["an axis", { whenOff: "stays" }],
    ["a device that does not move", { whenOff: undefined }],
  ] as const)("remembers that it has aborted %s", (_, change) => {
    const { state } = play(
      bare,
      [
        [0, order("s1", { stop: "abort" })],
        [10, { kind: "frame", attempt: 2, outcome: "acked", sentAtMs: 1 }],
        [11, { kind: "classEnd", attempt: 2, ok: true, answered: true }],
        ...stills(20, 30),
      ],
      change,
    );
    expect(state).toMatchObject({ recent: ["s1"], aborted: ["s1"] });
  });

  it("under a confirmed id: what latches anew, or comes while a command has begun, stops", () => {
    const stopped = { ...bare, recent: ["s1"] };
    const still = { still: true };
    const run = order("s1", { latch: false });
    expect(play(stopped, [[0, run]], still).said).toEqual(["confirmed"]);
    expect(play(stopped, [[0, run]], { ...still, begun: true }).said).toEqual(["0 controlled"]);
    expect(play(stopped, [[0, order("s1")]], still).said).toEqual(["0 controlled"]);
    const latches = Array.from({ length: latchesMax }, (_, i) => `l${i}`);
    const full = play({ ...stopped, latches }, [[0, order("s1")]], still);
    expect(full.said).toEqual(["confirmed"]);
  });

  it("an abort takes the power after the standstill, once, and says it when it cannot", () => {
    const ladder = ["fast", "disable"] as const;
    const proved = { attempt: 3, frames: "acked", done: true, stills: 1, off: true } as const;
    const climb = { ids: ["a"], ladder, rung: 0, attemptAtMs: 0, frameAtMs: 0 } as const;
    const near: StopState = {
      ...bare,
      attempts: 3,
      progress: { at: "stopping", untilMs: 9000, ...climb, ...proved },
    };
    const still: StopInput = { kind: "reading", sentAtMs: 50, still: true };
    const lost: StopInput = { kind: "frame", attempt: 4, outcome: "lost", sentAtMs: 60 };
    const stays = { whenOff: "stays" } as const;
    const { state, said } = play(
      near,
      [
        [60, still],
        [100, lost],
        [300, tick],
        [4000, tick],
      ],
      stays,
    );
    expect(said).toEqual(["60 disable", "confirmed", "300 disable"]);
    expect(state.progress.at).toBe("none");
    const falls = play(near, [[60, still]]);
    expect([falls.said, falls.state.progress.at]).toEqual([["confirmed"], "none"]);
  });

  it("a device that does not move is stopped at once: latched, confirmed, no frame", () => {
    const { state, said } = play(bare, [[0, order("s1")]], { whenOff: undefined });
    expect(said).toEqual(["confirmed"]);
    expect([state.latches, state.generation]).toEqual([["s1"], 6]);
  });

  it.each([
    ["stop", "stays", ["controlled", "fast", "disable"]],
    ["stop", "falls", ["controlled", "fast"]],
    ["quickStop", "coasts", ["fast"]],
    ["abort", "stays", ["fast", "disable"]],
  ] as const)("the ladder of %s where the axis %s", (stop, whenOff, ladder) => {
    expect(ladderOf(stop, { ...rules, whenOff })).toEqual(ladder);
  });

  it("quickStop falls back on the controlled class where the profile has no fast one", () => {
    const classes = new Set(["controlled"] as const);
    expect(ladderOf("quickStop", { ...rules, classes })).toEqual(["controlled"]);
  });
});
