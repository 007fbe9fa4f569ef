/**
 * What becomes of a request that a line did not send because a stop came.
 * The idea: the stop goes at once, and no neighbour loses its read; nothing that could move the
 * stopped axis follows. It refuses clocks.
 */
import { expect, it } from "vitest";
import { type LanesEffect, unsentMsMax } from "../../../services/bus/lane-state.js";
import { bytes, line, outcome, play, replyPdu, request } from "./lanes-situations.js";

const reply = { kind: "reply", pdu: replyPdu } as const;
const unsent = { kind: "notSent", why: "not-sent" } as const;
const sends = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "send" ? [e.key] : []));
const answers = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "answer" ? [e.key] : []));

it.each(["poll", "command"] as const)("a %s of a neighbour goes after the stop", (lane) => {
  const flying = play(line(), [0, request(1, lane, 1)], [1, request(2, lane, 1)]).state;
  const given = play(flying, [5, request(3, "stop", 2)], [6, outcome(1, 1, unsent)]);
  expect(given.effects.map((e) => e.kind)).toEqual(["hurry", "send"]);
  expect(sends(given.effects)).toEqual([3]);
  const { state, effects } = play(given.state, [15, outcome(3, 1, reply)]);
  // Before the younger request of its unit.
  expect(sends(effects)).toEqual([1]);
  expect(answers(play(state, [25, outcome(1, 2, reply)]).effects)).toEqual([1]);
});

it("it waits no longer for that than it would have", () => {
  const flying = play(line(), [0, request(1, "poll", 1)]).state;
  const given = play(flying, [5, request(3, "stop", 2)], [6, outcome(1, 1, unsent)]).state;
  expect(answers(play(given, [unsentMsMax - 1, { kind: "tick" }]).effects)).toEqual([]);
  const { effects } = play(given, [unsentMsMax, { kind: "tick" }]);
  expect(effects).toEqual([{ kind: "answer", key: 1, pdu: bytes("830a") }]);
});

it.each([
  ["a command of the unit that is stopped", request(1, "command", 2)],
  ["a write to everybody", request(1, "command", 0)],
])("%s does not follow the stop", (_, first) => {
  const flying = play(line({ unit0: "broadcast" }), [0, first]).state;
  const { effects } = play(flying, [5, request(3, "stop", 2)], [6, outcome(1, 1, unsent)]);
  expect(effects).toContainEqual({ kind: "answer", key: 1, pdu: bytes("860a") });
  expect(sends(effects)).toEqual([3]);
});
