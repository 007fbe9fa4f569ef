/**
 * What one client, or one axis, of a bus may cost its neighbours.
 * The idea: floods, clients that have gone, and dead axes behind a bridge, input by input. It
 * refuses wall-clock time.
 */
import { describe, expect, it } from "vitest";
import type { LanesEffect } from "../../../services/bus/lane-state.js";
import { line, outcome, play, readPdu, replyPdu, request } from "./lanes-situations.js";

const reply = { kind: "reply", pdu: replyPdu } as const;
const timeout = { kind: "noReply", why: "timeout" } as const;

const sends = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "send" ? [e.key] : []));

describe("clients of the poll lane", () => {
  it.each([
    ["one unit", (_: number) => 1],
    ["every unit there can be", (i: number) => 1 + (i % 247)],
  ])(
    "a tool asks 2000 times for %s without waiting: the driver's status still goes",
    (_, unitOf) => {
      let { state } = play(line(), [0, request(1, "poll", 4)]);
      for (let i = 0; i < 2000; i += 1) {
        state = play(state, [0, request(10 + i, "poll", unitOf(i), readPdu, 77)]).state;
      }
      const asked = play(state, [1, request(9999, "poll", 1, readPdu, 5)]);
      expect(asked.effects).toEqual([]);
      const { effects } = play(asked.state, [2, outcome(1, 1, reply)]);
      const after = sends(effects);
      expect(after.length).toBe(1);
      const more = play(play(asked.state, [2, outcome(1, 1, reply)]).state, [
        3,
        outcome(after[0] ?? 0, 1, reply),
      ]);
      expect([...after, ...sends(more.effects)]).toContain(9999);
    },
  );

  it("a client that has gone leaves nothing behind, also when nothing of it waited", () => {
    const { state } = play(
      line(),
      [0, request(1, "poll", 1, readPdu, 77)],
      [5, outcome(1, 1, reply)],
      [6, { kind: "clientClosed", client: 77 }],
    );
    expect(state.turns.size).toBe(0);
  });
});

describe("a dead axis behind a bridge", () => {
  it("over a bridge: a dead axis costs the others no connection before their stops", () => {
    const start = play(line({ reconnects: true }), [0, request(9, "poll", 4)]).state;
    const asked = play(start, [1, request(1, "stop", 1)], [1, request(2, "stop", 2)]).state;
    const first = play(asked, [5, outcome(9, 1, reply)], [60, outcome(1, 1, timeout)]);
    expect(first.effects.map((e) => e.kind)).not.toContain("reconnect");
    expect(sends(first.effects)).toEqual([1, 2]);
    // The reply to the other proves the connection.
    const second = play(first.state, [70, outcome(2, 1, reply)], [130, outcome(1, 2, timeout)]);
    expect(second.effects.map((e) => e.kind)).not.toContain("reconnect");
  });

  it("over a bridge: a repeat without a reply to anybody opens a new connection, stop first", () => {
    const start = play(line({ reconnects: true }), [0, request(1, "stop", 1)]).state;
    const once = play(start, [60, outcome(1, 1, timeout)]);
    expect(once.effects.map((e) => e.kind)).toEqual(["send"]);
    const twice = play(once.state, [120, outcome(1, 2, timeout)]);
    expect(twice.effects.map((e) => e.kind)).toContain("reconnect");
    const up = play(twice.state, [130, request(2, "poll", 2)], [150, { kind: "link", up: true }]);
    expect(sends(up.effects)).toEqual([1]);
  });
});
