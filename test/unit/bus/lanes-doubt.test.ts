/**
 * What the lane scheduler does when a unit has replied and nobody knows to which request.
 * The idea: outcomes are put in by hand, each at its moment. It refuses wall-clock time.
 */
import { describe, expect, it } from "vitest";
import {
  busyRetryMax,
  type LanesEffect,
  type LanesState,
  wakeAt,
} from "../../../services/bus/lane-state.js";
import { next } from "../../../services/bus/lanes.machine.js";
import {
  bytes,
  type Input,
  line,
  outcome,
  play,
  readPdu,
  replyPdu,
  request,
  writePdu,
} from "./lanes-situations.js";

const restMs = 80;
const reply = { kind: "reply", pdu: replyPdu } as const;
const timeout = { kind: "noReply", why: "timeout" } as const;
const doubt = { kind: "noReply", why: "malformed", restMs } as const;

const sends = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "send" ? [e.key] : []));
const answers = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => {
    return e.kind === "answer" ? [`${e.key} ${Buffer.from(e.pdu).toString("hex")}`] : [];
  });

/** The read of unit 1 is in doubt since 0. */
const doubted = (more: readonly [number, Input][] = []) =>
  play(line(), [-10, request(1, "poll")], ...more, [0, outcome(1, 1, doubt)]);

const tick = (state: LanesState, nowMs: number) =>
  next(state, { kind: "tick", nowMs })?.effects ?? [];

describe("a read whose reply may be another's", () => {
  it.each(["poll", "command"] as const)(
    "%s lane: it is not answered; it goes again when the unit has rested, and not before",
    (lane) => {
      const asked = request(1, lane, 1, readPdu);
      const { state, effects } = play(line(), [-10, asked], [0, outcome(1, 1, doubt)]);
      expect(answers(effects)).toEqual([]);
      expect(wakeAt(state, 1)).toBe(restMs);
      expect(sends(tick(state, restMs - 1))).toEqual([]);
      const again = play(state, [restMs, { kind: "tick" }]);
      expect(sends(again.effects)).toEqual([1]);
      const told = play(again.state, [restMs + 10, outcome(1, 2, reply)]);
      expect(answers(told.effects)).toEqual([`1 ${Buffer.from(replyPdu).toString("hex")}`]);
    },
  );

  it("meanwhile its neighbours are read, and the unit itself is written to and stopped", () => {
    const { state } = doubted();
    expect(sends(play(state, [1, request(2, "poll", 2)]).effects)).toEqual([2]);
    expect(sends(play(state, [1, request(2, "command")]).effects)).toEqual([2]);
    expect(sends(play(state, [1, request(2, "stop")]).effects)).toEqual([2]);
  });

  it("a stop waits: it is the next frame, as after any end of the one before it", () => {
    const { effects } = doubted([[-5, request(2, "stop")]]);
    expect(sends(effects)).toEqual([1, 2]);
  });

  it(`is answered 0x0B when ${busyRetryMax} more brought no more`, () => {
    let { state, effects } = doubted();
    for (let attempt = 2; attempt <= 1 + busyRetryMax; attempt += 1) {
      expect(answers(effects)).toEqual([]);
      const atMs = (attempt - 1) * 100;
      ({ state, effects } = play(
        state,
        [atMs, { kind: "tick" }],
        [atMs + 10, outcome(1, attempt, doubt)],
      ));
    }
    expect(answers(effects)).toEqual(["1 830b"]);
  });

  it("is no timeout: the unit has spoken", () => {
    const twice = [1, 2].flatMap((key): [number, Input][] => [
      [-200 + key * 20, request(50 + key, "poll")],
      [-190 + key * 20, outcome(50 + key, 1, timeout)],
    ]);
    const { state } = play(
      line(),
      ...twice,
      [-10, request(1, "poll")],
      [0, outcome(1, 1, doubt)],
      [restMs, { kind: "tick" }],
    );
    const { effects } = play(state, [restMs + 60, outcome(1, 2, timeout)]);
    expect(effects.filter(({ kind }) => kind === "unit")).toEqual([]);
  });
});

describe("a write whose acknowledgement may be another's", () => {
  it.each([
    ["of one register", writePdu, "860b"],
    ["that reads, too", bytes("17 0010 0001 0020 0001 02 0007".replaceAll(" ", "")), "970b"],
  ])("%s: nobody knows; it is not sent again", (_, pdu, told) => {
    const asked = request(1, "command", 1, pdu);
    const { state, effects } = play(line(), [-10, asked], [0, outcome(1, 1, doubt)]);
    expect(answers(effects)).toEqual([`1 ${told}`]);
    expect(sends(tick(state, restMs))).toEqual([]);
  });

  it("a stop is repeated at once", () => {
    const { effects } = play(line(), [-10, request(1, "stop")], [0, outcome(1, 1, doubt)]);
    expect(sends(effects)).toEqual([1, 1]);
  });
});
