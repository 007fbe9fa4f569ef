/**
 * The situations and inputs of the lane scheduler's table, and how a cell is written down.
 * The idea: each situation is reached through the machine itself. Refuses expectations.
 */
import {
  type Axis,
  type LanesEffect,
  type LanesInput,
  type LanesOptions,
  type LanesState,
  type LanesStep,
  lanesAtStart,
  queueMax,
} from "../../../services/bus/lane-state.js";
import { next } from "../../../services/bus/lanes.machine.js";

type Untimed<I> = I extends unknown ? Omit<I, "nowMs"> : never;
export type Input = Untimed<LanesInput>;

export const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
export const readPdu = bytes("0300100002");
export const writePdu = bytes("0600200003");
export const stopPdu = bytes("060020000b");
export const replyPdu = bytes("030400010203");

/** The present of every situation. */
export const nowMs = 10_000;
/** The client whose requests wait and fly in the situations. */
export const owner = 1;
export const stranger = 9;

export const request = (
  key: number,
  lane: "stop" | "command" | "poll",
  unit = 1,
  pdu = lane === "poll" ? readPdu : lane === "stop" ? stopPdu : writePdu,
  client = owner,
): Input => ({ kind: "request", key, lane, unit, pdu, client });

export const outcome = (
  key: number,
  attempt: number,
  result: Extract<LanesInput, { kind: "wire" }>["result"],
): Input => ({ kind: "wire", key, attempt, result });

/** Plays inputs one after another, each at its time. */
export function play(state: LanesState, ...inputs: readonly [number, Input][]): LanesStep {
  let at = state;
  const effects: LanesEffect[] = [];
  for (const [atMs, input] of inputs) {
    const step = next(at, { ...input, nowMs: atMs } as LanesInput);
    if (step === undefined) continue;
    at = step.state;
    effects.push(...step.effects);
  }
  return { state: at, effects };
}

export function tcp(): LanesState {
  const options = { replyTimeoutMs: 200, inFlightMax: 8, stopBeside: true };
  return play(lanesAtStart(options, 0), [0, { kind: "link", up: true }]).state;
}

const lineOptions = {
  replyTimeoutMs: 200,
  inFlightMax: 1,
  stopBeside: false,
  unitCount: 4,
  firstByteMs: new Map([[1, 40]]),
  unit0: "refused",
  reconnects: false,
} as const;

export function line(given: Partial<LanesOptions> = {}): LanesState {
  const state = lanesAtStart({ ...lineOptions, ...given }, 0);
  return play(state, [0, { kind: "link", up: true }]).state;
}

export const axis = (unit: number, is: Axis | undefined): Input => ({
  kind: "axis",
  unit,
  axis: is,
});

/** Unit 1 has not answered three times; its last request left at `nowMs - 100`. */
function silentOn(state: LanesState): LanesState {
  const silence = { timeouts: 3, probedAtMs: nowMs - 100, good: 0, costMs: 60 };
  return { ...state, silence: new Map([[1, silence]]) };
}

const timeout = { kind: "noReply", why: "timeout" } as const;
const up = (is: boolean): Input => ({ kind: "link", up: is });

/** Key 1 is always the request of unit 1 that flies or is owed, attempt 1. */
export const situations: { readonly [name: string]: () => LanesState } = {
  idle: tcp,
  "link just lost": () => play(tcp(), [nowMs - 10, up(false)]).state,
  "link long lost": () => play(tcp(), [nowMs - 5000, up(false)]).state,
  "poll flies": () => play(tcp(), [nowMs - 10, request(1, "poll")]).state,
  "command flies, command and poll wait": () =>
    play(
      tcp(),
      [nowMs - 10, request(1, "command")],
      [nowMs - 9, request(2, "command")],
      [nowMs - 8, request(3, "poll")],
    ).state,
  "stop flies, stop and poll wait": () =>
    play(
      tcp(),
      [nowMs - 10, request(1, "stop")],
      [nowMs - 9, request(2, "stop")],
      [nowMs - 8, request(3, "poll")],
    ).state,
  "stop owed, link lost": () =>
    play(tcp(), [nowMs - 110, request(1, "stop")], [nowMs - 10, outcome(1, 1, timeout)]).state,
  "stop flies the last time": () => {
    let state = play(tcp(), [nowMs - 400, request(1, "stop")]).state;
    for (const attempt of [1, 2, 3]) {
      state = play(
        state,
        [nowMs - 390 + attempt * 100, outcome(1, attempt, timeout)],
        [nowMs - 385 + attempt * 100, up(true)],
      ).state;
    }
    return state;
  },
  "eight units fly, one waits": () => {
    const flying = [1, 11, 12, 13, 14, 15, 16, 17].map((unit): [number, Input] => [
      nowMs - 10,
      request(unit, "poll", unit),
    ]);
    return play(tcp(), ...flying, [nowMs - 5, request(20, "poll", 20)]).state;
  },
  "queues full": () => {
    const waiting = Array.from({ length: queueMax }, (_, i): [number, Input][] => [
      [nowMs - 5, request(100 + i, "command")],
      [nowMs - 5, request(200 + i, "poll")],
    ]).flat();
    return play(tcp(), [nowMs - 10, request(1, "poll")], ...waiting).state;
  },
  "unit silent": () => {
    let state = tcp();
    for (const round of [3, 2, 1]) {
      state = play(
        state,
        [nowMs - round * 300, request(50 + round, "poll")],
        [nowMs - round * 300 + 200, outcome(50 + round, 1, timeout)],
      ).state;
    }
    return state;
  },
  "unit silent, probe due": () => {
    const silent = situations["unit silent"]?.() ?? tcp();
    // The last timed out request left 300 ms ago; a probe is due 2 s after it.
    return {
      ...silent,
      silence: new Map([[1, { timeouts: 3, probedAtMs: nowMs - 2000, good: 0, costMs: 200 }]]),
    };
  },
  "command unsent for 1 s": () =>
    play(tcp(), [nowMs - 1000, request(1, "poll")], [nowMs - 1000, request(2, "command")]).state,
  "poll waits past the grace": () =>
    play(tcp(), [nowMs - 250, up(false)], [nowMs - 200, request(1, "poll")]).state,
  "stop owed for 1.7 s": () =>
    play(tcp(), [nowMs - 1700, request(1, "stop")], [nowMs - 1600, outcome(1, 1, timeout)]).state,
  "line: poll flies, stop and command wait": () =>
    play(
      line(),
      [nowMs - 10, request(1, "poll")],
      [nowMs - 9, request(2, "stop", 2)],
      [nowMs - 8, request(3, "command", 3)],
    ).state,
  "line: stop flies, command waits": () =>
    play(line(), [nowMs - 9, request(1, "stop", 1)], [nowMs - 8, request(3, "command", 3)]).state,
  "line: idle": () => line(),
  "line: stop sent, another axis moves, poll waits": () =>
    play(
      line(),
      [nowMs - 9, axis(2, "moving")],
      [nowMs - 8, request(7, "stop", 3)],
      [nowMs - 4, outcome(7, 1, { kind: "reply", pdu: replyPdu })],
      [nowMs - 3, request(2, "poll", 4)],
    ).state,
  "line: stop sent, another axis moved too long": () =>
    play(
      line(),
      [nowMs - 30, axis(2, "moving")],
      [nowMs - 29, request(7, "stop", 3)],
      [nowMs - 20, outcome(7, 1, { kind: "reply", pdu: replyPdu })],
      [nowMs - 19, request(2, "poll", 4)],
    ).state,
  "line: poll flies, stops of a still, a lost and a moving axis wait": () =>
    play(
      line(),
      [nowMs - 20, axis(2, "still")],
      [nowMs - 20, axis(3, "lost")],
      [nowMs - 20, axis(4, "moving")],
      [nowMs - 10, request(1, "poll")],
      [nowMs - 9, request(2, "stop", 2)],
      [nowMs - 8, request(3, "stop", 3)],
      [nowMs - 7, request(4, "stop", 4)],
    ).state,
  "line: first stop of a unit flies, another waits": () =>
    play(line(), [nowMs - 9, request(1, "stop")], [nowMs - 8, request(2, "stop", 2)]).state,
  "line: stop of a silent unit flies": () =>
    play(silentOn(line()), [nowMs - 50, request(1, "stop")]).state,
  "line: unit silent": () => silentOn(line()),
  "line: unit coming back, poll flies": () => {
    const silence = { timeouts: 3, probedAtMs: nowMs - 100, good: 2, costMs: 60 };
    const state = { ...line(), silence: new Map([[1, silence]]) };
    return play(state, [nowMs - 5, request(1, "poll")]).state;
  },
  "line: unit missed twice, poll flies": () => {
    const silence = { timeouts: 2, probedAtMs: nowMs - 100, good: 0, costMs: 60 };
    const state = { ...line(), silence: new Map([[1, silence]]) };
    return play(state, [nowMs - 50, request(1, "poll")]).state;
  },
  "line: unit busy, its read waits": () =>
    play(
      line(),
      [nowMs - 20, request(1, "poll")],
      [nowMs - 10, outcome(1, 1, { kind: "reply", pdu: bytes("8306") })],
    ).state,
  "line: unit was busy three times": () => {
    let { state } = play(line(), [nowMs - 320, request(1, "poll")]);
    for (const attempt of [1, 2, 3]) {
      const atMs = nowMs - 420 + attempt * 105;
      const said = outcome(1, attempt, { kind: "reply", pdu: bytes("8306") });
      state = play(state, [atMs, said], [atMs + 101, { kind: "tick" }]).state;
    }
    return state;
  },
  "line: everybody is written to": () => line({ unit0: "broadcast" }),
};

export const inputs: { readonly [name: string]: Input } = {
  "poll read": request(99, "poll"),
  "poll write": request(99, "poll", 1, writePdu),
  command: request(99, "command"),
  stop: request(99, "stop"),
  "poll of a neighbour": request(99, "poll", 2),
  "stop of a neighbour": request(99, "stop", 2),
  "poll of everybody": request(99, "poll", 0),
  "write to everybody": request(99, "command", 0),
  "second axis moves": axis(2, "moving"),
  "second axis stands": axis(2, "still"),
  "second axis is nobody's": axis(2, undefined),
  reply: outcome(1, 1, { kind: "reply", pdu: replyPdu }),
  "gateway says 0b": outcome(1, 1, { kind: "reply", pdu: bytes("830b") }),
  "gateway says 0a": outcome(1, 1, { kind: "reply", pdu: bytes("830a") }),
  "says busy": outcome(1, 1, { kind: "reply", pdu: bytes("8306") }),
  "says busy the fourth time": outcome(1, 4, { kind: "reply", pdu: bytes("8306") }),
  timeout: outcome(1, 1, timeout),
  malformed: outcome(1, 1, { kind: "noReply", why: "malformed" }),
  "replied, perhaps to another": outcome(1, 1, { kind: "noReply", why: "malformed", restMs: 80 }),
  "lost with the link": outcome(1, 1, { kind: "noReply", why: "link-down" }),
  "not sent, link down": outcome(1, 1, { kind: "notSent", why: "link-down" }),
  "not sent, refused": outcome(1, 1, { kind: "notSent", why: "invalid-value" }),
  "fourth attempt times out": outcome(1, 4, timeout),
  "late reply": { kind: "late", unit: 1 },
  "caller gone": { kind: "clientClosed", client: owner },
  "another gone": { kind: "clientClosed", client: stranger },
  "link up": up(true),
  "link lost": up(false),
  tick: { kind: "tick" },
};

/** Longest wait for the whole reply, on a line after a slash that for its first byte. */
function limits({ timeoutMs, firstByteMs }: Extract<LanesEffect, { kind: "send" }>): string {
  return firstByteMs === undefined ? `${timeoutMs}` : `${timeoutMs}/${firstByteMs}`;
}

/** `·`: the input means nothing; `-`: taken in, nothing to do; else the effects. */
export function written(step: LanesStep | undefined): string {
  if (step === undefined) return "·";
  if (step.effects.length === 0) return "-";
  const short = step.effects.map((effect) => {
    switch (effect.kind) {
      case "send":
        return `send ${effect.key}/${effect.attempt} ${effect.path} ${limits(effect)}`;
      case "answer":
        return `answer ${effect.key} ${Buffer.from(effect.pdu).toString("hex")}`;
      case "reconnect":
      case "hurry":
        return effect.kind;
      case "unit":
        return `unit ${effect.unit} ${effect.up ? "back" : "silent"}`;
      default:
        effect satisfies never;
        return "";
    }
  });
  if (short.length <= 4) return short.join(", ");
  return `${short.slice(0, 2).join(", ")}, … (${short.length} in all)`;
}
