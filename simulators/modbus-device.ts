/**
 * A simulated device: a plant, what its electronics do, and its registers.
 *
 * The idea: a request goes in as a PDU with the time, a reply comes out or does not. Nothing
 * happens between calls: the device catches up with the time that it is told, so the same code
 * serves real sockets and a world with a virtual clock. Time must not run backwards; a smaller
 * time is taken as the last one. It refuses sockets, timers and randomness.
 */
import { exceptionReply } from "#drivers/pdu.js";
import type { Profile } from "#drivers/profile.js";
import {
  type Behaviour,
  illegalAddress,
  illegalFunction,
  type MotionView,
  type PlantFaults,
} from "./behaviours/behaviour.js";
import { type FaultName, type FaultValue, numberOf } from "./faults.js";
import { RegisterImage } from "./image.js";
import { carryOut, type DeviceTables } from "./modbus-requests.js";
import { SimProblem } from "./problem.js";

/** What begins or ends to move, and when. */
export interface MotionEvent {
  readonly tMs: number;
  readonly device: string;
  readonly moving: boolean;
  readonly position: number;
}

export interface SimDeviceView extends MotionView {
  readonly unit: number;
  readonly profile: string;
  readonly state: string;
  readonly faults: Readonly<Record<string, FaultValue | true>>;
  /** What the device itself shows in its registers. */
  readonly values: Readonly<Record<string, number>>;
}

export interface SimDeviceParts<S> {
  readonly id: string;
  readonly unit: number;
  readonly profile: Profile;
  readonly behaviour: Behaviour<S>;
  /** Contents after power-up, by point; they come before the behaviour's own defaults. */
  readonly presets?: Readonly<Record<string, number>>;
  readonly onMotion?: (event: MotionEvent) => void;
}

/** Longest slice in which a moving plant is advanced, ms. */
const sliceMsMax = 1;
const rebootSilenceMs = 200;

export interface SimDevice {
  readonly id: string;
  readonly unit: number;
  /** Answers a request; undefined: no reply comes. */
  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined;
  /** Carries a write to unit 0 out, silently, where its profile says that it listens to those. */
  broadcast(pdu: Uint8Array, nowMs: number): void;
  /** How late the next reply is to be sent. */
  readonly replyDelayMs: number;
  advance(nowMs: number): void;
  /** Something moves or runs: the device wants to be advanced every few milliseconds. */
  readonly busy: boolean;
  /** The plant moves. */
  readonly moving: boolean;
  /** The device's own raw unit, as `view` shows it. */
  readonly position: number;
  /** @throws SimProblem for a value that the fault cannot use. */
  setFault(name: FaultName, value: FaultValue | undefined, nowMs: number): void;
  clearFaults(): void;
  view(): SimDeviceView;
  onMotion(listener: (event: MotionEvent) => void): void;
}

/** Builds a device from its parts; device.ts builds one from an entry of the cell file. */
export function modbusDevice<S>(parts: SimDeviceParts<S>): SimDevice {
  return new Device(parts);
}

class Device<S> implements SimDevice {
  readonly id: string;
  readonly unit: number;
  readonly #parts: SimDeviceParts<S>;
  readonly #behaviour: Behaviour<S>;
  readonly #image: RegisterImage;
  readonly #faults = new Map<FaultName, FaultValue | true>();
  readonly #listeners: ((event: MotionEvent) => void)[] = [];
  #state: S;
  #atMs: number | undefined;
  #silentUntilMs = Number.NEGATIVE_INFINITY;
  #moving = false;

  constructor(parts: SimDeviceParts<S>) {
    this.id = parts.id;
    this.unit = parts.unit;
    this.#parts = parts;
    this.#behaviour = parts.behaviour;
    this.#image = new RegisterImage(parts.profile);
    this.#image.reset(this.#defaults());
    this.#state = parts.behaviour.initial();
    if (parts.onMotion !== undefined) this.#listeners.push(parts.onMotion);
  }

  get replyDelayMs(): number {
    const delay = this.#faults.get("delay");
    return typeof delay === "number" ? delay : 0;
  }

  get busy(): boolean {
    return this.#moving || !this.#behaviour.quiet(this.#state, this.#registers);
  }

  get moving(): boolean {
    return this.#moving;
  }

  get position(): number {
    return this.#behaviour.motion(this.#state).position;
  }

  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined {
    this.advance(nowMs);
    if (nowMs < this.#silentUntilMs) return undefined;
    const dropped = this.#dropped();
    if (dropped === "request") return undefined;
    this.#state = this.#behaviour.heard(this.#state);
    const fc = pdu[0] ?? 0;
    const refusal = this.#faults.get("exception");
    const reply = typeof refusal === "number" ? exceptionReply(fc, refusal) : this.#answer(fc, pdu);
    return dropped === "reply" ? undefined : reply;
  }

  broadcast(pdu: Uint8Array, nowMs: number): void {
    if (this.#parts.profile.transport.broadcast) this.handle(pdu, nowMs);
  }

  advance(nowMs: number): void {
    const from = this.#atMs ?? nowMs;
    let left = nowMs - from;
    this.#atMs = Math.max(from, nowMs);
    const faults = this.#plantFaults();
    const registers = this.#registers;
    while (left > 0) {
      const quiet = !this.#moving && this.#behaviour.quiet(this.#state, registers);
      const dtMs = quiet ? left : Math.min(left, sliceMsMax);
      left -= dtMs;
      this.#state = this.#behaviour.step(this.#state, { dtMs, faults, registers });
      this.#noticeMotion(nowMs - left);
    }
  }

  setFault(name: FaultName, value: FaultValue | undefined, nowMs: number): void {
    this.advance(nowMs);
    switch (name) {
      case "reboot":
        this.#reboot(nowMs, numberOf(name, value, rebootSilenceMs));
        return;
      case "trip":
        this.#trip(value);
        return;
      case "delay":
        this.#faults.set(name, numberOf(name, value, 100));
        return;
      case "exception":
        this.#faults.set(name, numberOf(name, value, 4));
        return;
      case "drop":
      case "silent":
        this.#faults.set("drop", value ?? true);
        return;
      case "stuck":
        if (value !== undefined && value !== "trip") {
          throw new SimProblem(`stuck:${value} is not understood; stuck takes nothing or "trip".`);
        }
        this.#faults.set(name, value ?? true);
        return;
      case "noPart":
        this.#faults.set(name, true);
        return;
      default:
        name satisfies never;
    }
  }

  clearFaults(): void {
    this.#faults.clear();
    this.#state = this.#behaviour.released(this.#state);
  }

  view(): SimDeviceView {
    return {
      unit: this.unit,
      profile: this.#parts.profile.id,
      state: this.#behaviour.word(this.#state),
      ...this.#behaviour.motion(this.#state),
      faults: Object.fromEntries(this.#faults),
      values: this.#behaviour.values(this.#state),
    };
  }

  onMotion(listener: (event: MotionEvent) => void): void {
    this.#listeners.push(listener);
  }

  #defaults(): Readonly<Record<string, number>> {
    return { ...this.#behaviour.defaults, ...this.#parts.presets };
  }

  readonly #registers = (point: string): number => this.#image.written(point);

  #plantFaults(): PlantFaults {
    const stuck = this.#faults.get("stuck");
    return {
      stuck: stuck !== undefined,
      stuckTrips: stuck === "trip",
      noPart: this.#faults.has("noPart"),
    };
  }

  #dropped(): "no" | "request" | "reply" {
    const drop = this.#faults.get("drop");
    if (drop === undefined) return "no";
    if (drop === "replies") return "reply";
    if (typeof drop === "number") {
      if (drop <= 1) this.#faults.delete("drop");
      else this.#faults.set("drop", drop - 1);
      return drop >= 1 ? "request" : "no";
    }
    return "request";
  }

  #reboot(nowMs: number, silenceMs: number): void {
    this.#image.reset(this.#defaults());
    this.#state = this.#behaviour.reboot(this.#state);
    this.#silentUntilMs = nowMs + silenceMs;
    this.#noticeMotion(nowMs);
  }

  #trip(value: FaultValue | undefined): void {
    const holds = value === "hold";
    if (holds) this.#faults.set("trip", value);
    const code = holds || value === undefined ? undefined : numberOf("trip", value, 1);
    const options = { holds, ...(code === undefined ? {} : { code }) };
    this.#state = this.#behaviour.trip(this.#state, options);
  }

  #noticeMotion(tMs: number): void {
    const { moving, position } = this.#behaviour.motion(this.#state);
    if (moving === this.#moving) return;
    this.#moving = moving;
    for (const listen of this.#listeners) listen({ tMs, device: this.id, moving, position });
  }

  #answer(fc: number, pdu: Uint8Array): Uint8Array {
    if (!this.#behaviour.functions.has(fc)) return exceptionReply(fc, illegalFunction);
    const done = carryOut(pdu, this.#tables);
    return typeof done === "number" ? exceptionReply(fc, done) : done;
  }

  readonly #tables: DeviceTables = {
    limits: () => this.#parts.profile.transport.limits,
    identity: () => this.#parts.profile.identity,
    toggles: () => this.#behaviour.togglesCoils === true,
    coil: (address) => this.#image.coil(address),
    read: (fc, address, count) => {
      const own = this.#behaviour.values(this.#state);
      const words = this.#image.read(fc, { address, count }, own);
      const { wasRead } = this.#behaviour;
      if (words !== undefined && wasRead !== undefined) {
        const points = this.#image.pointsRead(fc, address, count);
        this.#state = wasRead(this.#state, { fc, address, count, words: [], points });
      }
      return words;
    },
    write: (fc, address, words) => this.#write(fc, address, words),
  };

  #write(fc: number, address: number, words: readonly number[]): number | undefined {
    const trace = this.#image.write(fc, address, words);
    if (trace === undefined) return illegalAddress;
    const touched = [{ fc, address, count: words.length, words, points: trace.points }];
    const done = this.#behaviour.written(this.#state, this.#registers, touched);
    if (done.ok) {
      this.#state = done.state;
      return undefined;
    }
    this.#image.undo(trace);
    return done.exception;
  }
}
