/**
 * The stop machine where a profile has no class that may be sent: readings alone prove it.
 *
 * The idea: played like the climbs (stop-climbs.test.ts). It refuses to look at frames: there
 * are none.
 */
import { describe, expect, it } from "vitest";
import { retryMs, type StopInput, unsentSettleMs } from "../../../services/driver/stop-state.js";
import { bare, order, play, stills, tick } from "./stop-play.js";

describe("stop machine, without any stop class", () => {
  it("an axis without any stop class is owed at once and said so", () => {
    const { state, said } = play(bare, [[0, order("s1")]], { classes: new Set() });
    expect(said).toEqual(["unconfirmed"]);
    expect(state.progress.at).toBe("owed");
  });

  const none = { classes: new Set<never>() };
  it("readings prove it, once no trigger can begin any more", () => {
    const early = [0.25, 0.5, 0.75, 1].map((part) => part * unsentSettleMs);
    const first = play(bare, [[0, order("s1")], ...stills(...early)], none);
    expect([first.said, first.state.progress.at]).toEqual([["unconfirmed"], "owed"]);
    const late = stills(unsentSettleMs + 20, unsentSettleMs + 40);
    const { said, state } = play(first.state, [[unsentSettleMs + 10, tick], ...late], none);
    expect([said, state.progress.at]).toEqual([["confirmed"], "none"]);
  });

  it("a standstill is no alarm, unless it is not proved", () => {
    const still = { ...none, still: true, stands: true };
    const proved = play(bare, [[0, order("s1")], ...stills(20, 40)], still);
    expect([proved.said, proved.state.progress.at]).toEqual([["confirmed"], "none"]);
    const unproved = play(
      bare,
      [
        [0, order("s1")],
        [2999, tick],
      ],
      still,
    );
    expect([unproved.said, unproved.state.progress.at]).toEqual([[], "stopping"]);
    const late = play(unproved.state, [[3000, tick]], still);
    expect([late.said, late.state.progress.at]).toEqual([["unconfirmed"], "owed"]);
  });

  it("a trigger that begins late is an alarm when it is seen", () => {
    const about = { ...none, stands: true };
    const moving: StopInput = { kind: "reading", sentAtMs: 60, still: false };
    const first = play(bare, [[0, order("s1")], ...stills(20, 40)], about);
    expect([first.said, first.state.progress.at]).toEqual([[], "stopping"]);
    const seen = play(first.state, [[60, moving]], about);
    expect([seen.said, seen.state.progress.at]).toEqual([["unconfirmed"], "owed"]);
    const never = play(first.state, stills(unsentSettleMs + 20, unsentSettleMs + 40), about);
    expect([never.said, never.state.progress.at]).toEqual([["confirmed"], "none"]);
  });

  it("a second stop is told with the first", () => {
    const { said, state } = play(
      bare,
      [[0, order("s1")], [20, order("s2")], [retryMs, order("s3")], ...stills(210, 230)],
      { ...none, still: true, stands: true },
    );
    expect([said, state.recent]).toEqual([["confirmed"], ["s1", "s2", "s3"]]);
  });

  it("a second stop does not make the first readings a proof", () => {
    const { state } = play(bare, [[0, order("s1")]], none);
    const still = { ...none, still: true, stands: true };
    const again = play(state, [[10, order("s2")], ...stills(30, 50)], still);
    expect(again.state.progress).toMatchObject({ ids: ["s1", "s2"], stills: 0 });
    const late = play(again.state, stills(unsentSettleMs + 20, unsentSettleMs + 40), still);
    expect([late.said, late.state.progress.at]).toEqual([["confirmed"], "none"]);
  });

  it("a stop that is owed since the boot ends by readings, too", () => {
    const owe: StopInput = { kind: "owe", id: "drv-1", reason: "no answer at boot" };
    const { state } = play(bare, [[0, owe], ...stills(1020, 1040)], none);
    expect(state.progress.at).toBe("none");
  });
});
