/**
 * The lane scheduler, by full table: every situation with every input.
 * The idea: lanes-table.ts is the whole behaviour; the bounds are checked on top of it.
 */
import { describe, expect, it } from "vitest";
import {
  answerMsMax,
  type LanesEffect,
  type LanesInput,
  queueMax,
  unsentMsMax,
  wakeAt,
} from "../../../services/bus/lane-state.js";
import { next } from "../../../services/bus/lanes.machine.js";
import {
  inputs,
  line,
  nowMs,
  outcome,
  play,
  replyPdu,
  request,
  situations,
  tcp,
  written,
} from "./lanes-situations.js";
import { table } from "./lanes-table.js";

const reply = { kind: "reply", pdu: replyPdu } as const;
const timeout = { kind: "noReply", why: "timeout" } as const;

const sends = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "send" ? [e.key] : []));

describe("the table", () => {
  for (const [situation, make] of Object.entries(situations)) {
    it(`${situation}: every input`, () => {
      const got = Object.fromEntries(
        Object.entries(inputs).map(([name, input]) => {
          return [name, written(next(make(), { ...input, nowMs } as LanesInput))];
        }),
      );
      expect(got).toEqual(table[situation]);
    });
  }

  it("has a cell for every situation and input", () => {
    const cells = Object.values(table).flatMap((row) => Object.keys(row));
    expect(cells.length).toBe(Object.keys(situations).length * Object.keys(inputs).length);
    expect(cells.length).toBe(841);
  });

  it("changes no state that it was given", () => {
    for (const make of Object.values(situations)) {
      const state = make();
      const before = structuredClone(state);
      for (const input of Object.values(inputs)) next(state, { ...input, nowMs } as LanesInput);
      expect(state).toEqual(before);
    }
  });
});

describe("fairness", () => {
  it("units take turns inside a lane, whatever the order of arrival (units=3, requests=4)", () => {
    let { state, effects } = play(
      line(),
      [0, request(10, "poll", 1)],
      [0, request(11, "poll", 1)],
      [0, request(12, "poll", 1)],
      [0, request(20, "poll", 2)],
      [0, request(30, "poll", 3)],
      [0, request(13, "poll", 1)],
    );
    const order = [...sends(effects)];
    for (let atMs = 1; order.length < 6; atMs += 1) {
      ({ state, effects } = play(state, [atMs, outcome(order.at(-1) ?? 0, 1, reply)]));
      order.push(...sends(effects));
    }
    expect(order).toEqual([10, 20, 30, 11, 12, 13]);
  });

  it("commands go before polls that came earlier", () => {
    const { state } = play(
      line(),
      [0, request(1, "poll", 1)],
      [0, request(2, "poll", 2)],
      [0, request(3, "command", 3)],
    );
    const { effects } = play(state, [1, outcome(1, 1, reply)]);
    expect(sends(effects)).toEqual([3]);
  });

  it("never more than eight requests in flight, and one per unit (units=20, each 3)", () => {
    const many = Array.from({ length: 60 }, (_, i): [number, (typeof inputs)[string]] => [
      0,
      request(100 + i, "poll", i % 20),
    ]);
    const { state } = play(tcp(), ...many);
    expect(state.inFlight.length).toBe(8);
    expect(new Set(state.inFlight.map((r) => r.unit)).size).toBe(8);
  });
});

describe("a silent unit", () => {
  it("ST-01: costs one probe per 2 s once three requests have timed out (20 s of polls)", () => {
    let state = tcp();
    let probes = 0;
    let flying: { readonly key: number; readonly sentAtMs: number } | undefined;
    const put = (atMs: number, input: (typeof inputs)[string]) => {
      const step = play(state, [atMs, input]);
      state = step.state;
      for (const key of sends(step.effects)) {
        probes += 1;
        flying = { key, sentAtMs: atMs };
      }
    };
    for (let atMs = 0; atMs < 20_000; atMs += 20) {
      if (flying !== undefined && atMs >= flying.sentAtMs + 200) {
        const { key } = flying;
        flying = undefined;
        put(atMs, outcome(key, 1, timeout));
      }
      put(atMs, request(atMs + 1, "poll", 5));
    }
    expect(probes).toBeGreaterThanOrEqual(10);
    expect(probes).toBeLessThanOrEqual(13);
  });

  it("is served again from its first reply on", () => {
    const due = situations["unit silent, probe due"]?.() ?? tcp();
    const probe = play(due, [nowMs, request(1, "poll")]);
    const { state } = play(probe.state, [nowMs + 5, outcome(1, 1, reply)]);
    const { effects } = play(state, [nowMs + 6, request(2, "poll")]);
    expect(sends(effects)).toEqual([2]);
  });
});

describe("a stop without reply", () => {
  it("opens a new connection three times, then says 0x0B", () => {
    let { state } = play(tcp(), [0, request(1, "stop")]);
    const all: string[] = [];
    for (const attempt of [1, 2, 3, 4]) {
      const lost = play(state, [attempt * 120, outcome(1, attempt, timeout)]);
      const again = play(lost.state, [attempt * 120 + 10, { kind: "link", up: true }]);
      state = again.state;
      all.push(...lost.effects.map((e) => e.kind), ...again.effects.map((e) => e.kind));
    }
    const once = ["reconnect", "send"];
    expect(all).toEqual([...once, ...once, ...once, "answer"]);
  });

  it("keeps the connection when a neighbour answered on it since the stop left", () => {
    const { state } = play(
      tcp(),
      [0, request(1, "stop", 1)],
      [10, request(2, "poll", 2)],
      [20, outcome(2, 1, reply)],
    );
    const { effects } = play(state, [100, outcome(1, 1, timeout)]);
    expect(effects.map((e) => e.kind)).toEqual(["send"]);
  });
});

describe("every request is answered, in bounded time", () => {
  it("0x0A after 1 s when it never left, before 1.7 s + reply when it did", () => {
    let { state } = play(tcp(), [0, { kind: "link", up: false }], [0, request(1, "stop")]);
    expect(wakeAt(state, 1)).toBe(unsentMsMax);
    const { effects } = play(state, [unsentMsMax, { kind: "tick" }]);
    expect(effects.map((e) => e.kind)).toEqual(["answer"]);
    ({ state } = play(tcp(), [0, request(1, "stop")], [100, outcome(1, 1, timeout)]));
    expect(wakeAt(state, 101)).toBe(answerMsMax);
  });

  it("the reply timeout shrinks when a request waited long (waited=990 ms)", () => {
    const slow = { ...line(), options: { replyTimeoutMs: 1000, stopBeside: false } };
    const { state } = play(slow, [0, request(1, "poll", 1)], [0, request(2, "poll", 2)]);
    const { effects } = play(state, [990, outcome(1, 1, timeout)]);
    const send = effects.find((e) => e.kind === "send");
    expect(send?.kind === "send" && send.timeoutMs).toBe(answerMsMax - 990);
  });

  it("the bound of a queue is per unit and lane", () => {
    const full = situations["queues full"]?.() ?? tcp();
    expect(full.waiting.length).toBe(2 * queueMax);
    const { state } = play(full, [nowMs, request(900, "command", 2)]);
    expect(state.inFlight.map((r) => r.key)).toContain(900);
  });
});
