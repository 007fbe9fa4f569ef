/**
 * The guardian, by full table: every state with every input.
 * The idea: one line a cell: the state afterwards and the effects. Refuses clocks and sockets.
 */
import { describe, expect, it } from "vitest";
import {
  type GuardianInput,
  type GuardianState,
  type GuardianStep,
  guardianActs,
  guardianAtStart,
  guardianNext,
  guardianWakeAt,
  owedRoundMs,
  pulseMsMax,
  roundMs,
  roundsMax,
} from "../../../services/bus/guardian.machine.js";
import { table } from "./guardian-table.js";

type Untimed<I> = I extends unknown ? Omit<I, "nowMs"> : never;
type Input = Untimed<GuardianInput>;

const frames = [Uint8Array.of(6, 0x31, 0, 0, 0x0f), Uint8Array.of(6, 0x31, 0, 0, 0x0b)];
const nowMs = 10_000;
const client = 1;
const device = "x";

function play(state: GuardianState, ...given: readonly [number, Input][]): GuardianStep {
  let at = state;
  const effects: GuardianStep["effects"][number][] = [];
  for (const [atMs, input] of given) {
    const step = guardianNext(at, { ...input, nowMs: atMs } as GuardianInput);
    if (step === undefined) continue;
    at = step.state;
    effects.push(...step.effects);
  }
  return { state: at, effects };
}

const hello: Input = { kind: "hello", client, device };
const guard: Input = { kind: "guard", client, frames };
const pulse = (still: boolean, from = client): Input => ({ kind: "pulse", client: from, still });
const closed: Input = { kind: "closed", client };
const tick: Input = { kind: "tick" };
const sent = (ticket: number, acknowledged: boolean): Input => {
  return { kind: "sent", ticket, acknowledged };
};

const from = (...given: readonly [number, Input][]) => play(guardianAtStart, ...given).state;

/** All rounds at the quick pace were missed; tickets go on from there. */
const owed = (by: number | undefined): GuardianState => ({
  ...{ at: "pausing", ticket: 0, device, frames, cause: "silent", client: by },
  ...{ round: roundsMax, beganAtMs: nowMs - 300 },
});

/** Tickets of the first round are 1 and 2. */
const situations: { readonly [name: string]: GuardianState } = {
  unwatched: guardianAtStart,
  "no frames": from([nowMs - 900, hello]),
  "watched, still unknown": from([nowMs - 100, hello], [nowMs - 90, guard]),
  "watched, moving": from([nowMs - 100, hello], [nowMs - 90, guard], [nowMs - 80, pulse(false)]),
  "watched, commanded": from(
    [nowMs - 900, hello],
    [nowMs - 890, guard],
    [nowMs - 150, pulse(true)],
    [nowMs - 100, { kind: "commanded" }],
  ),
  "watched, still": from([nowMs - 900, hello], [nowMs - 890, guard], [nowMs - 880, pulse(true)]),
  "watched, overdue": from([nowMs - 900, hello], [nowMs - 600, guard], [nowMs - 500, pulse(false)]),
  "stopping, closed, last frame out": from(
    [nowMs - 100, hello],
    [nowMs - 90, guard],
    [nowMs - 60, closed],
    [nowMs - 50, sent(1, true)],
  ),
  "stopping, silent, last frame out": from(
    [nowMs - 900, hello],
    [nowMs - 890, guard],
    [nowMs - 60, tick],
    [nowMs - 50, sent(1, true)],
  ),
  "pausing, next round due": from(
    [nowMs - 900, hello],
    [nowMs - 890, guard],
    [nowMs - 250, closed],
    [nowMs - 240, sent(1, false)],
    [nowMs - 230, sent(2, true)],
  ),
  "owed for long, driver there": owed(client),
  "owed for long, driver gone": owed(undefined),
  acted: from(
    [nowMs - 900, hello],
    [nowMs - 890, guard],
    [nowMs - 60, tick],
    [nowMs - 50, sent(1, true)],
    [nowMs - 40, sent(2, true)],
  ),
};

const inputs: { readonly [name: string]: Input } = {
  hello,
  "hello of a new driver": { kind: "hello", client: 2, device },
  "hello of another device": { kind: "hello", client: 2, device: "y" },
  guard,
  "guard of another": { kind: "guard", client: 9, frames },
  "pulse still": pulse(true),
  "pulse moving": pulse(false),
  "pulse of another": pulse(true, 9),
  commanded: { kind: "commanded" },
  closed,
  "another closed": { kind: "closed", client: 9 },
  "last frame acknowledged": sent(2, true),
  "last frame missed": sent(2, false),
  "old frame acknowledged": sent(1, true),
  tick,
};

function written(step: GuardianStep | undefined): string {
  if (step === undefined) return "·";
  const { state } = step;
  const held = state.at === "watched" ? ` ${state.still}/${state.frames.length}` : "";
  const effects = step.effects.map((effect) => {
    if (effect.kind === "send") return `send ${effect.ticket}`;
    if (effect.kind === "began") return `began ${effect.cause}`;
    return `ended ${effect.acknowledged ? "acked" : "missed"} ${effect.rounds}`;
  });
  return [`${state.at}${held}`, ...effects].join(", ");
}

describe("the table", () => {
  for (const [situation, state] of Object.entries(situations)) {
    it(`${situation}: every input`, () => {
      const got = Object.fromEntries(
        Object.entries(inputs).map(([name, input]) => {
          return [name, written(guardianNext(state, { ...input, nowMs } as GuardianInput))];
        }),
      );
      expect(got).toEqual(table[situation]);
    });
  }

  it("has a cell for every situation and input, and every state of the machine", () => {
    const cells = Object.values(table).flatMap((row) => Object.keys(row));
    expect(cells.length).toBe(Object.keys(situations).length * Object.keys(inputs).length);
    const states = new Set(Object.values(situations).map((state) => state.at));
    expect([...states].sort()).toEqual(["acted", "pausing", "stopping", "unwatched", "watched"]);
  });
});

describe("the rounds", () => {
  it("sends the frames in order, again every 250 ms, 20 rounds, when nothing is acknowledged", () => {
    let step = play(guardianAtStart, [0, hello], [1, guard], [2, closed]);
    const out: [number, string][] = [];
    let atMs = 2;
    let ended = "";
    while (ended === "") {
      for (const effect of step.effects) {
        if (effect.kind === "send") out.push([atMs, Buffer.from(effect.pdu).toString("hex")]);
        if (effect.kind === "ended") ended = `${effect.acknowledged} ${effect.rounds}`;
      }
      const { state } = step;
      if (state.at === "stopping") {
        atMs += 1;
        step = play(state, [atMs, sent(state.ticket, false)]);
      } else if (state.at === "pausing") {
        atMs = guardianWakeAt(state) ?? Number.NaN;
        step = play(state, [atMs, tick]);
      }
    }
    expect(ended).toBe(`false ${roundsMax}`);
    expect(out.length).toBe(2 * roundsMax);
    const round = frames.map((frame) => Buffer.from(frame).toString("hex"));
    expect(out.map(([, hex]) => hex)).toEqual(
      Array.from({ length: roundsMax }, () => round).flat(),
    );
    const begins = out.filter((_, i) => i % 2 === 0).map(([at]) => at);
    for (const [i, at] of begins.entries()) expect(at).toBe(2 + i * roundMs);
  });

  it("a late acknowledgement of an earlier round does not end a later one", () => {
    const { state } = play(
      guardianAtStart,
      [0, hello],
      [1, guard],
      [2, closed],
      [3, sent(1, false)],
      [4, sent(2, false)],
      [2 + roundMs, tick],
    );
    expect(guardianNext(state, { kind: "sent", ticket: 1, acknowledged: true, nowMs: 300 })).toBe(
      undefined,
    );
  });
});

describe("an owed stop", () => {
  const missAll = (start: GuardianState, round: number, fromMs: number) => {
    let state = start;
    let atMs = fromMs;
    while (!(state.at === "pausing" && state.round === round)) {
      atMs = state.at === "pausing" ? (guardianWakeAt(state) ?? Number.NaN) : atMs + 1;
      const input = state.at === "pausing" ? tick : sent(state.ticket, false);
      state = play(state, [atMs, input]).state;
    }
    return { state, atMs };
  };
  const gone = () => missAll(from([0, hello], [1, guard], [2, closed]), roundsMax, 2);

  it("is tried every 2 s after 20 rounds, until the device that came back acknowledges it", () => {
    const { state } = missAll(gone().state, roundsMax + 5, 10_000);
    const dueMs = guardianWakeAt(state) ?? Number.NaN;
    expect(state.at === "pausing" && dueMs - state.beganAtMs).toBe(owedRoundMs);
    const round = play(state, [dueMs, tick]);
    expect(round.effects.map((e) => e.kind)).toEqual(["send"]);
    const { ticket } = round.state;
    const end = play(round.state, [dueMs, sent(ticket, true)], [dueMs, sent(ticket + 1, true)]);
    expect(end.effects.at(-1)).toMatchObject({ kind: "ended", acknowledged: true });
    expect(end.state.at).toBe("unwatched");
  });

  it("holds nobody up: the bus service may end while it is owed", () => {
    expect(guardianActs(situations["pausing, next round due"] ?? guardianAtStart)).toBe(true);
    expect(guardianActs(gone().state)).toBe(false);
  });
});

describe("when the guardian may act", () => {
  it("on a pulse that may be older than the write: the first one after it proves nothing", () => {
    const commanded = situations["watched, commanded"] ?? guardianAtStart;
    const stale = play(commanded, [nowMs, pulse(true)], [nowMs + 50, closed]);
    expect(stale.effects.map((e) => e.kind)).toEqual(["began", "send"]);
    const later: [number, Input] = [nowMs + 100, pulse(true)];
    expect(play(commanded, [nowMs, pulse(true)], later, [nowMs + 150, closed]).effects).toEqual([]);
  });

  it("never for a unit that registered no frames (closed, and 10 s of silence)", () => {
    const { state, effects } = play(
      guardianAtStart,
      [0, hello],
      [1, pulse(false)],
      [10_000, tick],
      [10_001, { kind: "guard", client, frames: [] }],
      [20_000, tick],
      [20_001, closed],
    );
    expect(effects).toEqual([]);
    expect(state.at).toBe("unwatched");
  });

  it("not while the pulse says still, but after the next write to the unit", () => {
    const still = from([0, hello], [1, guard], [2, pulse(true)]);
    expect(play(still, [9000, tick], [9001, closed]).effects).toEqual([]);
    const { effects } = play(still, [9000, { kind: "commanded" }], [9000 + pulseMsMax, tick]);
    expect(effects.map((e) => e.kind)).toEqual(["began", "send"]);
  });

  it("at 500 ms of silence and not before", () => {
    const moving = from([0, hello], [1, guard], [100, pulse(false)]);
    expect(guardianWakeAt(moving)).toBe(100 + pulseMsMax);
    expect(play(moving, [99 + pulseMsMax, tick]).effects).toEqual([]);
    expect(play(moving, [100 + pulseMsMax, tick]).effects).toHaveLength(2);
  });

  it("once per silence: it acts again only after the driver has spoken", () => {
    const acted = situations.acted ?? guardianAtStart;
    expect(play(acted, [nowMs + 5000, tick], [nowMs + 5001, closed]).effects).toEqual([]);
    const { effects } = play(acted, [nowMs, pulse(false)], [nowMs + pulseMsMax, tick]);
    expect(effects.map((e) => e.kind)).toEqual(["began", "send"]);
  });

  it("a planned hand-over: the old driver closes after the new one's hello, nothing is sent", () => {
    const still = from([0, hello], [1, guard], [2, pulse(true)]);
    const { state, effects } = play(still, [3, { kind: "hello", client: 2, device }], [4, closed]);
    expect(effects).toEqual([]);
    expect(state.at === "watched" && state.client).toBe(2);
  });
});
