/**
 * Walks a run by hand: an input, and the effects as one line each that a table can hold.
 *
 * The idea: readings are scripted as raw words of the device, so the status bits in a test come
 * from the manual's table and not from the profile. Refuses nothing; the tests judge.
 */
import { expect } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type {
  AxisSetup,
  DeviceModel,
  OperationEffect,
  OperationInput,
  OperationState,
  PointTable,
  StopClass,
  Verb,
} from "#drivers/device-model.js";
import { matchReply, readRequest } from "#drivers/pdu.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile } from "#drivers/profile-loader.js";

export const axis: AxisSetup = {
  kind: "linear",
  unit: "mm",
  countsPerRev: 10_000,
  gear: { motor: 1, output: 1 },
  perRev: 10,
  travel: { min: 0, max: 800 },
  velocityMax: 500,
  accelerationMax: 2000,
  tolerance: 0.01,
  whenOff: "stays",
};

export function profileOf(id: string): Profile {
  const loaded = loadProfile(id);
  if (!loaded.ok) throw new TypeError(`${id} does not load`);
  return loaded.value;
}

export function servo(profile = profileOf("kinco/fd5p"), more: Partial<AxisSetup> = {}) {
  const setup = { device: "x", unit: 1, axis: { ...axis, ...more }, constants: {} };
  return compileDevice(profile, { ...setup, acceptNoWatchdog: "test" });
}

export function gripper(): DeviceModel {
  return compileDevice(profileOf("robotiq/2f"), {
    device: "g",
    unit: 9,
    constants: { stroke: 85 },
  });
}

export function conveyor(acceptNoWatchdog?: string): DeviceModel {
  const setup = {
    device: "belt",
    unit: 3,
    axis: { ...axis, unit: "percent", velocityMax: 100, travel: undefined } as const,
    constants: {},
  };
  const { travel: _none, ...bare } = setup.axis;
  return compileDevice(profileOf("abb/drives-profile"), {
    ...setup,
    axis: bare,
    ...(acceptNoWatchdog === undefined ? {} : { acceptNoWatchdog }),
  });
}

/** Registers of a device as a script: address → word. */
export type Words = { readonly [address: number]: number };

/** Two registers of a 32-bit value, low word first. */
export function low(address: number, value: number): Words {
  return { [address]: value & 0xffff, [address + 1]: (value >>> 16) & 0xffff };
}

function replyTo(pdu: Uint8Array, words: Words): Uint8Array {
  const address = ((pdu[1] ?? 0) << 8) | (pdu[2] ?? 0);
  const count = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
  const data = Array.from({ length: count }, (_, i) => words[address + i] ?? 0);
  return Uint8Array.from([pdu[0] ?? 3, 2 * count, ...data.flatMap((w) => [w >> 8, w & 0xff])]);
}

/** All points of a device as good readings. */
export function tableOf(model: DeviceModel, words: Words, atMs = 1): PointTable {
  const table = new Map();
  for (const request of model.pollFull) {
    const values = model.decode(request, replyTo(request.pdu, words));
    if (typeof values === "string") continue;
    for (const [name, value] of values) table.set(name, { ok: true, value, atMs });
  }
  return table;
}

export function hex(pdu: Uint8Array): string {
  return Array.from(pdu, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Walk {
  nowMs = 1000;
  state: OperationState;
  effects: readonly OperationEffect[] = [];
  readonly frames: string[] = [];

  private constructor(
    readonly model: DeviceModel,
    state: OperationState,
  ) {
    this.state = state;
  }

  static of(model: DeviceModel, verb: Verb, args: Record<string, number>, words: Words): Walk {
    const begun = model.begin({ verb, args, nowMs: 1000, points: tableOf(model, words) });
    if (!begun.ok) throw new TypeError(JSON.stringify(begun.verdict));
    const walk = new Walk(model, begun.state);
    walk.tick(0);
    return walk;
  }

  static stop(model: DeviceModel, stopClass: StopClass, known?: Words): Walk {
    const points = known === undefined ? undefined : tableOf(model, known);
    const state = model.beginStop(stopClass, 1000, points);
    if (state === undefined) throw new TypeError(`no ${stopClass}`);
    const walk = new Walk(model, state);
    walk.tick(0);
    return walk;
  }

  private put(input: OperationInput): this {
    const step = this.model.next(this.state, input);
    expect(step, `${input.kind} means nothing here`).toBeDefined();
    if (step === undefined) return this;
    this.state = step.state;
    this.effects = step.effects;
    for (const effect of step.effects) {
      if (effect.kind === "write") this.frames.push(`${effect.role}:${hex(effect.pdu)}`);
    }
    const busy = step.effects.filter((effect) => effect.kind !== "accepted");
    expect(busy).toHaveLength(1);
    return this;
  }

  tick(afterMs = 20): this {
    this.nowMs += afterMs;
    return this.put({ kind: "tick", nowMs: this.nowMs });
  }

  wrote(outcome: "acked" | "exception" | "notSent" | "unknown" = "acked", exception = 4): this {
    this.nowMs += 2;
    const more = outcome === "exception" ? { exception } : {};
    return this.put({ kind: "wrote", nowMs: this.nowMs, outcome, ...more });
  }

  /** Answers the read that is out from these words, handed over `ageMs` ago. */
  read(words: Words, ageMs = 1): this {
    this.nowMs += 2;
    const effect = this.effects.find((one) => one.kind === "read");
    if (effect?.kind !== "read") throw new TypeError(`no read is out: ${this.lines().join()}`);
    const values = new Map<string, number>();
    for (const request of effect.requests) {
      expect(hex(request.pdu)).toBe(hex(readRequest(request.fc, request.address, request.count)));
      const reply = replyTo(request.pdu, words);
      expect(matchReply(request.pdu, reply).kind).toBe("words");
      const decoded = this.model.decode(request, reply);
      if (typeof decoded === "string") throw new TypeError(decoded);
      for (const [name, value] of decoded) values.set(name, value);
    }
    const { nowMs } = this;
    return this.put({ kind: "read", nowMs, sentAtMs: nowMs - ageMs, values });
  }

  failed(): this {
    this.nowMs += 2;
    return this.put({ kind: "readFailed", nowMs: this.nowMs, reason: "timeout" });
  }

  /** Polls with the same words until something else than a wake comes, at most `times`. */
  poll(words: Words, times = 1000): this {
    for (let i = 0; i < times; i++) {
      this.read(words);
      const [effect] = this.effects;
      if (effect?.kind !== "wake") return this;
      this.tick(effect.atMs - this.nowMs);
      if (this.verdict !== undefined) return this;
    }
    return this;
  }

  /** Acknowledges writes and lets holds pass until a read, an end, or a trigger is out. */
  settle(): this {
    for (let i = 0; i < 20; i++) {
      const effect = this.effects.at(-1);
      if (effect?.kind === "write" && effect.role === "level") this.wrote();
      else if (effect?.kind === "wake") this.tick(effect.atMs - this.nowMs);
      else return this;
    }
    return this;
  }

  lines(): readonly string[] {
    return this.effects.map((effect) => {
      switch (effect.kind) {
        case "write":
          return `${effect.role}:${hex(effect.pdu)}`;
        case "read":
          return `read:${effect.requests.flatMap((one) => one.points).join("+")}`;
        case "wake":
          return `wake:${Math.round(effect.atMs - this.nowMs)}`;
        case "accepted":
          return "accepted";
        case "end": {
          const { verdict } = effect;
          if (verdict.verdict === "done") return `done:${JSON.stringify(verdict.result)}`;
          return `${verdict.verdict}:${verdict.code}`;
        }
        default:
          return effect satisfies never;
      }
    });
  }

  get verdict() {
    const end = this.effects.find((effect) => effect.kind === "end");
    return end?.kind === "end" ? end.verdict : undefined;
  }
}
