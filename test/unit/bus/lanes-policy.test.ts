/**
 * What the lane scheduler does over time: a line in simulated time, with units that answer, keep
 * silent or are busy. The idea: the machine runs against a small model of a half-duplex line and
 * every frame is written down. It refuses wall-clock time.
 */
import { describe, expect, it } from "vitest";
import {
  busyPauseMs,
  busyRetryMax,
  type LanesEffect,
  type LanesState,
  stopWindowMs,
  waitingMax,
  wakeAt,
} from "../../../services/bus/lane-state.js";
import { next } from "../../../services/bus/lanes.machine.js";
import {
  axis,
  bytes,
  type Input,
  line,
  outcome,
  play,
  readPdu,
  replyPdu,
  request,
  tcp,
  writePdu,
} from "./lanes-situations.js";

const reply = { kind: "reply", pdu: replyPdu } as const;
const busy = { kind: "reply", pdu: bytes("8306") } as const;
const timeout = { kind: "noReply", why: "timeout" } as const;

const sends = (effects: readonly LanesEffect[]) =>
  effects.flatMap((e) => (e.kind === "send" ? [e.key] : []));

interface Frame {
  readonly atMs: number;
  readonly endMs: number;
  readonly key: number;
  readonly unit: number;
  readonly stop: boolean;
  readonly write: boolean;
}

type Unit = (atMs: number, frame: number) => "reply" | "silent" | "busy";

const exchangeMs = 10;
const silentMs = 60;

/** A line on which one exchange takes 10 ms, and one without a reply 60 ms. */
class Line {
  readonly frames: Frame[] = [];
  readonly answers = new Map<number, string>();
  readonly transitions: string[] = [];
  state: LanesState;
  nowMs = 0;
  keys = 0;
  #flying: { readonly endMs: number; readonly input: Input } | undefined;
  readonly onAnswer = new Map<number, () => void>();

  constructor(readonly units: { readonly [unit: number]: Unit }) {
    this.state = line({ unitCount: Object.keys(units).length });
  }

  put(input: Input): void {
    const step = next(this.state, { ...input, nowMs: this.nowMs } as never);
    if (step === undefined) return;
    this.state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
  }

  ask(lane: "stop" | "command" | "poll", unit: number, client = unit): number {
    this.keys += 1;
    const pdu = lane === "poll" ? readPdu : writePdu;
    this.put(request(this.keys, lane, unit, pdu, client));
    return this.keys;
  }

  /** Polls a unit for ever, the next as soon as the last is answered, at this pace. */
  poll(unit: number, everyMs: number, client = unit): void {
    const began = this.nowMs;
    const key = this.keys + 1;
    this.onAnswer.set(key, () => {
      const dueMs = Math.max(this.nowMs + 1, began + everyMs);
      this.#at.push({ atMs: dueMs, work: () => this.poll(unit, everyMs, client) });
    });
    this.ask("poll", unit, client);
  }

  readonly #at: { readonly atMs: number; readonly work: () => void }[] = [];

  at(atMs: number, work: () => void): void {
    this.#at.push({ atMs, work });
  }

  run(untilMs: number): void {
    for (;;) {
      const dueMs = Math.min(...this.#at.map((one) => one.atMs));
      const wakeMs = wakeAt(this.state, this.nowMs) ?? Number.POSITIVE_INFINITY;
      const endMs = this.#flying?.endMs ?? Number.POSITIVE_INFINITY;
      const nextMs = Math.min(dueMs, Math.max(wakeMs, this.nowMs), endMs);
      if (nextMs > untilMs) break;
      this.nowMs = nextMs;
      if (endMs <= nextMs && this.#flying !== undefined) {
        const { input } = this.#flying;
        this.#flying = undefined;
        this.put(input);
      } else if (dueMs <= nextMs) {
        const i = this.#at.findIndex((one) => one.atMs <= nextMs);
        this.#at.splice(i, 1)[0]?.work();
      } else {
        this.put({ kind: "tick" });
      }
    }
    this.nowMs = untilMs;
  }

  framesOf(unit: number, fromMs = 0): readonly Frame[] {
    return this.frames.filter((frame) => frame.unit === unit && frame.atMs >= fromMs);
  }

  #carryOut(effect: LanesEffect): void {
    if (effect.kind === "send") {
      expect(this.#flying).toBeUndefined();
      const { key, attempt, unit, path, pdu } = effect;
      const count = this.framesOf(unit).length;
      const does = this.units[unit]?.(this.nowMs, count) ?? "silent";
      const endMs = this.nowMs + (does === "silent" ? silentMs : exchangeMs);
      const result = does === "reply" ? reply : does === "busy" ? busy : timeout;
      this.#flying = { endMs, input: outcome(key, attempt, result) };
      const stop = path === "stop";
      this.frames.push({ atMs: this.nowMs, endMs, key, unit, stop, write: pdu[0] !== 3 });
    } else if (effect.kind === "answer") {
      this.answers.set(effect.key, Buffer.from(effect.pdu).toString("hex"));
      const told = this.onAnswer.get(effect.key);
      this.onAnswer.delete(effect.key);
      if (told !== undefined) this.at(this.nowMs, told);
    } else if (effect.kind === "unit") {
      this.transitions.push(`${effect.unit} ${effect.up ? "back" : "silent"}`);
    }
  }
}

const good: Unit = () => "reply";
const silent: Unit = () => "silent";

describe("silent units on a line", () => {
  it.each([[1], [3]])("ST-01: %i of 8 silent cost at most 2 %% of the wire", (count) => {
    const isSilent = (unit: number) => unit <= count;
    const units = Object.fromEntries(
      [1, 2, 3, 4, 5, 6, 7, 8].map((unit) => [unit, isSilent(unit) ? silent : good]),
    );
    const bus = new Line(units);
    for (const unit of Object.keys(units)) bus.poll(Number(unit), 20);
    // They fall silent in the first second; the steady state is what counts.
    bus.run(1000);
    bus.run(201_000);
    const late = bus.frames.filter((frame) => frame.atMs >= 1000);
    const lostMs = late
      .filter((frame) => isSilent(frame.unit))
      .reduce((sum, frame) => sum + frame.endMs - frame.atMs, 0);
    expect(lostMs).toBeGreaterThan(0);
    expect(lostMs / 200_000).toBeLessThanOrEqual(0.02);
    const healthy = late.filter((frame) => !isSilent(frame.unit)).length;
    expect(healthy).toBeGreaterThanOrEqual(0.98 * (200_000 / exchangeMs) * 0.99);
  });

  it("ST-01: a unit that is back is seen within its probe interval (3 s at 60 ms a probe)", () => {
    const bus = new Line({ 1: good, 2: (atMs) => (atMs < 30_000 ? "silent" : "reply"), 3: good });
    for (const unit of [1, 2, 3]) bus.poll(unit, 20);
    bus.run(33_100);
    expect(bus.transitions).toEqual(["2 silent", "2 back"]);
  });

  it("ST-04: one answer in ten is no coming back: one transition in ten minutes", () => {
    const bus = new Line({ 1: good, 2: (_, frame) => (frame % 10 === 9 ? "reply" : "silent") });
    for (const unit of [1, 2]) bus.poll(unit, 50);
    bus.run(600_000);
    expect(bus.framesOf(2).length).toBeGreaterThan(100);
    expect(bus.transitions).toEqual(["2 silent"]);
  });

  it("ST-04: after one good reply its requests go through again [PROTOCOL 14]", () => {
    const bus = new Line({ 1: (_, frame) => (frame < 3 ? "silent" : "reply"), 2: good });
    bus.poll(1, 20);
    bus.run(20_000);
    const [first, second] = bus.framesOf(1).filter((frame) => frame.endMs - frame.atMs < 60);
    expect((second?.atMs ?? 0) - (first?.endMs ?? 0)).toBeLessThan(25);
    expect(bus.transitions).toEqual(["1 silent", "1 back"]);
  });
});

describe("a busy unit", () => {
  it("EX-03: is read with pauses, its neighbours keep their pace, and it is back at once", () => {
    const bus = new Line({ 1: (atMs) => (atMs < 2000 ? "busy" : "reply"), 2: good, 3: good });
    for (const unit of [1, 2, 3]) bus.poll(unit, 40);
    bus.run(2000);
    expect(bus.framesOf(1).length).toBeLessThanOrEqual(2000 / busyPauseMs + 1);
    expect(bus.framesOf(2).length).toBeGreaterThanOrEqual(0.95 * (2000 / 41));
    bus.run(2200);
    expect(bus.framesOf(1, 2000).length).toBeGreaterThanOrEqual(1);
    expect(bus.transitions).toEqual([]);
  });

  it(`EX-03: says so itself after ${busyRetryMax} repeats; a write is never repeated`, () => {
    const bus = new Line({ 1: () => "busy" });
    const read = bus.ask("poll", 1);
    bus.run(1000);
    expect(bus.answers.get(read)).toBe("8306");
    expect(bus.framesOf(1).length).toBe(1 + busyRetryMax);
    const write = bus.ask("command", 1);
    bus.run(2000);
    expect(bus.answers.has(write)).toBe(true);
    expect(bus.frames.filter((frame) => frame.write).length).toBe(1);
  });
});

describe("TX-03: what is sent again", () => {
  const lost = { kind: "noReply", why: "link-down" } as const;

  it("RC-06: a read that went down with the connection, once", () => {
    const { state, effects } = play(
      tcp(),
      [0, request(1, "poll")],
      [10, { kind: "link", up: false }],
      [11, outcome(1, 1, lost)],
      [30, { kind: "link", up: true }],
    );
    expect(sends(effects)).toEqual([1, 1]);
    const again = play(state, [40, { kind: "link", up: false }], [41, outcome(1, 2, lost)]);
    expect(again.effects).toMatchObject([{ kind: "answer", key: 1 }]);
  });

  it.each([["command"], ["poll"]] as const)(
    "never a write: %s lane, lost or unanswered",
    (lane) => {
      for (const result of [lost, timeout, { kind: "noReply", why: "malformed" } as const]) {
        for (const start of [tcp(), line()]) {
          const { effects } = play(
            start,
            [0, request(1, lane, 1, writePdu)],
            [10, { kind: "link", up: false }],
            [11, outcome(1, 1, result)],
            [30, { kind: "link", up: true }],
            [2000, { kind: "tick" }],
          );
          expect(sends(effects)).toEqual(lane === "command" ? [1] : []);
          expect(effects.at(-1)).toMatchObject({ kind: "answer" });
        }
      }
    },
  );
});

describe("fairness of the poll lane", () => {
  it("a tool that asks for everything gets its share, and no more", () => {
    const bus = new Line(Object.fromEntries([1, 2, 3, 4].map((unit) => [unit, good])));
    for (const unit of [1, 2, 3, 4]) bus.poll(unit, 20);
    const tool = 77;
    for (const unit of [1, 2, 3, 4]) for (let i = 0; i < 8; i += 1) bus.poll(unit, 1, tool);
    bus.run(10_000);
    const all = bus.frames.length;
    const drivers = [...bus.answers.keys()].length;
    expect(all).toBeGreaterThan(950);
    expect(drivers).toBeGreaterThan(950);
    // Five clients share the line: a driver has at least a fifth of it, less one turn.
    for (const unit of [1, 2, 3, 4]) {
      expect(bus.framesOf(unit).length).toBeGreaterThan(0.19 * all);
    }
  });

  it("a tool with one question is answered although eight drivers want all of the wire", () => {
    const units = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((unit) => [unit, good]));
    const bus = new Line(units);
    for (const unit of Object.keys(units)) bus.poll(Number(unit), 1);
    bus.run(1000);
    const key = bus.ask("poll", 5, 77);
    bus.run(1000 + 3 * exchangeMs);
    expect(bus.answers.has(key)).toBe(true);
  });

  it(`ST-05: at most ${waitingMax} requests wait, whoever sends them`, () => {
    let state = line();
    for (let key = 1; key <= waitingMax + 200; key += 1) {
      state = play(state, [0, request(key, "poll", 1 + (key % 200), readPdu, key)]).state;
    }
    expect(state.waiting.length).toBe(waitingMax);
  });

  it("ST-05: a unit slower than its poll period has one request outstanding, never a queue", () => {
    const bus = new Line({ 1: good });
    bus.poll(1, 2);
    bus.run(60_000);
    expect(bus.state.waiting.length).toBe(0);
    expect(bus.framesOf(1).length).toBeGreaterThan(5000);
  });
});

describe("a stop of several axes on a line", () => {
  const axes = [1, 2, 3, 4, 5, 6];

  /** Stop frames of one order come one after another, so far apart. */
  function stopped(apartMs: number, given: { readonly dead?: number } = {}): Line {
    const units = Object.fromEntries(
      axes.map((unit) => [unit, unit === given.dead ? silent : good]),
    );
    const bus = new Line(units);
    for (const unit of axes) bus.put(axis(unit, "moving"));
    for (const unit of axes) bus.poll(unit, 1);
    bus.run(5003);
    axes.forEach((unit, i) => {
      bus.at(5003 + i * apartMs, () => void bus.ask("stop", unit));
    });
    bus.run(7000);
    return bus;
  }

  it.each([[0], [1], [3], [8]])(
    "only stop frames between the first and the last (%i ms)",
    (apart) => {
      const bus = stopped(apart);
      const stops = bus.frames.filter((frame) => frame.stop);
      const [first, last] = [stops[0]?.atMs ?? 0, stops.at(-1)?.atMs ?? 0];
      const between = bus.frames.filter((frame) => frame.atMs >= first && frame.atMs <= last);
      expect(stops.length).toBe(axes.length);
      expect(between.every((frame) => frame.stop)).toBe(true);
      // The bound: what was in flight, and one exchange an axis [PROTOCOL 9].
      expect(last).toBeLessThanOrEqual(5003 + exchangeMs + axes.length * (exchangeMs + apart));
      // Verification reads follow.
      expect(bus.frames.some((frame) => frame.atMs > last && !frame.stop)).toBe(true);
    },
  );

  it("a dead unit comes last and has one frame, so that it keeps nobody from his stop", () => {
    const bus = stopped(0, { dead: 1 });
    const stops = bus.frames.filter((frame) => frame.stop).map((frame) => frame.unit);
    expect([...stops].sort()).toEqual(axes);
    expect(stops.at(-1)).toBe(1);
  });

  it("the line waits for nobody longer than its window: a stop of one axis alone", () => {
    const bus = new Line(Object.fromEntries(axes.map((unit) => [unit, good])));
    for (const unit of axes) bus.put(axis(unit, "moving"));
    for (const unit of axes) bus.poll(unit, 1);
    bus.run(503);
    const key = bus.ask("stop", 2);
    bus.run(1000);
    const stop = bus.frames.find((frame) => frame.key === key);
    const after = bus.frames.find((frame) => frame.atMs > (stop?.atMs ?? 0));
    expect((after?.atMs ?? 0) - (stop?.endMs ?? 0)).toBe(stopWindowMs);
  });

  it("nobody waits where the others stand still, or where nobody looks after them", () => {
    for (const is of ["still", "lost", undefined] as const) {
      const bus = new Line(Object.fromEntries(axes.map((unit) => [unit, good])));
      for (const unit of axes) bus.put(axis(unit, is));
      for (const unit of axes) bus.poll(unit, 1);
      bus.run(503);
      const key = bus.ask("stop", 2);
      bus.run(1000);
      const stop = bus.frames.find((frame) => frame.key === key);
      const after = bus.frames.find((frame) => frame.atMs > (stop?.atMs ?? 0));
      expect((after?.atMs ?? 0) - (stop?.endMs ?? 0)).toBe(0);
    }
  });

  it("interleaving 10: a stop while the line drains after a timeout hurries it and goes next", () => {
    const flying = play(line(), [0, request(1, "poll", 1)], [1, request(2, "poll", 2)]).state;
    const stop = play(flying, [55, request(3, "stop", 3)]);
    expect(stop.effects).toEqual([{ kind: "hurry" }]);
    const { effects } = play(stop.state, [57, outcome(1, 1, timeout)]);
    expect(effects[0]).toMatchObject({ kind: "send", key: 3, path: "stop" });
    expect(sends(effects)).toEqual([3]);
  });
});
