/**
 * Silent units behind a gateway that holds its port for them, in simulated time.
 * The idea: the machine runs against one half-duplex queue behind a TCP port, as a gateway's
 * single RS-485 port is; what its device side did is counted there. It refuses wall-clock time.
 */
import { describe, expect, it } from "vitest";
import {
  type LanesEffect,
  type LanesState,
  lanesAtStart,
  wakeAt,
} from "../../../services/bus/lane-state.js";
import { next } from "../../../services/bus/lanes.machine.js";
import { type Input, outcome, play, readPdu, replyPdu, request } from "./lanes-situations.js";

const transactionMs = 8;
const replyTimeoutMs = 200;
const pollMs = 200;
const units = [1, 2, 3, 4, 5, 6, 7, 8];
const reply = { kind: "reply", pdu: replyPdu } as const;
const timeout = { kind: "noReply", why: "timeout" } as const;

interface Job {
  readonly unit: number;
  readonly key: number;
  readonly attempt: number;
}

class Gateway {
  /** When a transaction ended, per unit, on the device's side. */
  readonly done: { readonly unit: number; readonly endMs: number; readonly tookMs: number }[] = [];
  readonly transitions: string[] = [];
  readonly #due: { readonly atMs: number; readonly work: () => void }[] = [];
  readonly #queue: Job[] = [];
  readonly #open = new Set<string>();
  #busy = false;
  #keys = 0;
  #nowMs = 0;
  #state: LanesState;

  constructor(readonly takesMs: (unit: number, atMs: number) => number | undefined) {
    const options = { replyTimeoutMs, inFlightMax: 8, stopBeside: true, unitCount: units.length };
    this.#state = lanesAtStart(options, 0);
    this.#put({ kind: "link", up: true });
    for (const unit of units) this.#poll(unit);
  }

  run(untilMs: number): void {
    for (;;) {
      const dueMs = Math.min(...this.#due.map(({ atMs }) => atMs));
      const wakeMs = Math.max(wakeAt(this.#state, this.#nowMs) ?? Infinity, this.#nowMs);
      if (Math.min(dueMs, wakeMs) > untilMs) return;
      this.#nowMs = Math.min(dueMs, wakeMs);
      if (dueMs > wakeMs) this.#put({ kind: "tick" });
      else
        this.#due
          .splice(
            this.#due.findIndex(({ atMs }) => atMs === dueMs),
            1,
          )[0]
          ?.work();
    }
  }

  #at(atMs: number, work: () => void): void {
    this.#due.push({ atMs, work });
  }

  readonly #answered = new Map<number, () => void>();

  /** As a driver polls: the next at its pace, never before the last is answered. */
  #poll(unit: number): void {
    const beganMs = this.#nowMs;
    this.#keys += 1;
    this.#answered.set(this.#keys, () => {
      this.#at(Math.max(this.#nowMs + 1, beganMs + pollMs), () => this.#poll(unit));
    });
    this.#put(request(this.#keys, "poll", unit, readPdu, unit));
  }

  #put(input: Input): void {
    const step = next(this.#state, { ...input, nowMs: this.#nowMs } as never);
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
  }

  #carryOut(effect: LanesEffect): void {
    if (effect.kind === "answer") {
      const told = this.#answered.get(effect.key);
      this.#answered.delete(effect.key);
      if (told !== undefined) this.#at(this.#nowMs, told);
    } else if (effect.kind === "unit") {
      this.transitions.push(`${effect.unit} ${effect.up ? "back" : "silent"}`);
    } else if (effect.kind === "send") {
      const { key, attempt, unit, timeoutMs } = effect;
      this.#open.add(`${key}/${attempt}`);
      this.#at(this.#nowMs + timeoutMs, () => this.#settle({ unit, key, attempt }, timeout));
      this.#queue.push({ unit, key, attempt });
      this.#work();
    }
  }

  #replied(job: Job): void {
    if (this.#open.has(`${job.key}/${job.attempt}`)) this.#settle(job, reply);
    else this.#put({ kind: "late", unit: job.unit });
  }

  #settle(job: Job, result: typeof reply | typeof timeout): void {
    if (!this.#open.delete(`${job.key}/${job.attempt}`)) return;
    this.#put(outcome(job.key, job.attempt, result));
  }

  #work(): void {
    const job = this.#busy ? undefined : this.#queue.shift();
    if (job === undefined) return;
    this.#busy = true;
    const heldMs = this.takesMs(job.unit, this.#nowMs);
    const tookMs = heldMs ?? transactionMs;
    this.#at(this.#nowMs + tookMs, () => {
      this.#busy = false;
      this.done.push({ unit: job.unit, endMs: this.#nowMs, tookMs });
      // A gateway goes on by itself; what nobody waits for any more is dropped by the wire.
      if (heldMs === undefined) this.#replied(job);
      this.#work();
    });
  }
}

const warmMs = 60_000;
const overMs = 600_000;

function countOf(takesMs: (unit: number, atMs: number) => number | undefined, dead: number[]) {
  const gateway = new Gateway(takesMs);
  gateway.run(warmMs + overMs);
  const late = gateway.done.filter(({ endMs }) => endMs > warmMs);
  const of = (which: (unit: number) => boolean) => late.filter(({ unit }) => which(unit));
  return {
    healthy: of((unit) => !dead.includes(unit)).length,
    probes: of((unit) => dead.includes(unit)),
    transitions: gateway.transitions,
  };
}

describe("ST-01: a silent unit behind a gateway that queues", () => {
  it.each([
    [100, [3]],
    [200, [3]],
    [500, [3]],
    [1000, [3]],
    [500, [3, 5]],
  ])("holds=%i ms, dead=%j: probes a fiftieth at most, the others keep theirs", (holdMs, dead) => {
    const { healthy, probes, transitions } = countOf((unit) => {
      return dead.includes(unit) ? holdMs : undefined;
    }, dead);
    const usedMs = probes.reduce((sum, { tookMs }) => sum + tookMs, 0);
    expect(probes.length).toBeGreaterThan(3);
    expect(usedMs / overMs).toBeLessThanOrEqual(0.02);
    const all = countOf(() => undefined, dead).healthy;
    expect(healthy / all).toBeGreaterThanOrEqual(0.98);
    expect(transitions.filter((one) => dead.some((unit) => one === `${unit} back`))).toEqual([]);
  });

  it("costs its gateway nothing (8 ms) although nobody answers for 200 ms: back within 10 s", () => {
    const gateway = new Gateway((unit, atMs) => (unit === 3 && atMs < 200_000 ? 8 : undefined));
    gateway.run(210_000);
    expect(gateway.transitions).toEqual(["3 silent", "3 back"]);
  });

  it("is back: it is seen within a minute although a probe cost half a second", () => {
    const gateway = new Gateway((unit, atMs) => (unit === 3 && atMs < 200_000 ? 500 : undefined));
    gateway.run(260_000);
    expect(gateway.transitions.filter((one) => one.startsWith("3"))).toEqual([
      "3 silent",
      "3 back",
    ]);
  });
});

describe("ST-01: the third timeout of a unit behind a gateway", () => {
  /** Three timeouts of unit 3, what a neighbour does meanwhile, and a poll of unit 3 later. */
  function sentAt(laterMs: number, ...neighbour: readonly [number, Input][]): boolean {
    const options = { replyTimeoutMs, inFlightMax: 8, stopBeside: true, unitCount: 2 };
    const own = [1, 2, 3].flatMap((key): [number, Input][] => [
      [200 * (key - 1), request(key, "poll", 3)],
      [200 * key, outcome(key, 1, timeout)],
    ]);
    const all = [...own, ...neighbour].sort(([a], [b]) => a - b);
    const step = play(lanesAtStart(options, 0), [0, { kind: "link", up: true }], ...all, [
      laterMs,
      request(9, "poll", 3),
    ]);
    return step.effects.some((effect) => effect.kind === "send" && effect.key === 9);
  }
  const asks: [number, Input] = [440, request(5, "poll", 1)];

  it.each([
    ["nobody waits behind it: it is asked again after 2 s", [], true],
    ["a neighbour is heard 5 ms after its request: 2 s", [asks, [445, outcome(5, 1, reply)]], true],
    ["a neighbour waits 160 ms behind it: after 16 s", [asks], false],
  ] as [string, [number, Input][], boolean][])("%s", (_title, neighbour, soon) => {
    expect(sentAt(2450, ...neighbour)).toBe(soon);
    expect(sentAt(30_000, ...neighbour)).toBe(true);
  });
});
