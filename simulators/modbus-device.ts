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
  type Touched,
} from "./behaviours/behaviour.js";
import { FaultBook, type SimReply } from "./fault-book.js";
import { type FaultName, type FaultValue, isBusFault, numberOf } from "./faults.js";
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
  /** What the cell file says of the device's own pace, beyond the profile. */
  readonly pace?: { readonly turnaroundMs?: number; readonly scanMs?: number };
}

/** Longest slice in which a moving plant is advanced, ms. */
const sliceMsMax = 1;
const rebootSilenceMs = 200;

export interface SimDevice {
  readonly id: string;
  readonly unit: number;
  /** Answers a request, with what its faults make of the reply; undefined: no reply comes. */
  answer(pdu: Uint8Array, nowMs: number): SimReply | undefined;
  /** The same without the faults of replies. */
  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined;
  /** Carries a write to unit 0 out, silently, where its profile says that it listens to those. */
  broadcast(pdu: Uint8Array, nowMs: number): void;
  /** How late replies are to be sent. */
  readonly replyDelayMs: number;
  /** From the end of a request to the first byte of the reply, on a line. */
  readonly turnaroundMs: number | undefined;
  /** Silence before a request that the device needs, by baud, ms. */
  silenceMs(baud: number): number;
  advance(nowMs: number): void;
  /** Something moves or runs: the device wants to be advanced every few milliseconds. */
  readonly busy: boolean;
  /** The plant moves. */
  readonly moving: boolean;
  /** The device's own raw unit, as `view` shows it. */
  readonly position: number;
  /** @throws SimProblem for a value that the fault cannot use. */
  setFault(name: FaultName, value: FaultValue | undefined, nowMs: number): void;
  /** This fault is over; the others go on. */
  endFault(name: FaultName): void;
  clearFaults(): void;
  view(): SimDeviceView;
  onMotion(listener: (event: MotionEvent) => void): void;
}

/** Builds a device from its parts; device.ts builds one from an entry of the cell file. */
export function modbusDevice<S>(parts: SimDeviceParts<S>): SimDevice {
  return new Device(parts);
}

/** Faults for which a device may report a fault of its own. */
const causes: ReadonlySet<FaultName> = new Set<FaultName>(["trip", "stuck", "following-error"]);

class Device<S> implements SimDevice {
  readonly id: string;
  readonly unit: number;
  readonly #parts: SimDeviceParts<S>;
  readonly #behaviour: Behaviour<S>;
  readonly #image: RegisterImage;
  readonly #faults = new FaultBook();
  readonly #listeners: ((event: MotionEvent) => void)[] = [];
  #state: S;
  #atMs: number | undefined;
  /** Writes that the device has taken and not looked at yet; its scan time decides when. */
  #unseen: Touched[] = [];
  #lookAtMs = 0;
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
    return this.#faults.delayMs;
  }

  get turnaroundMs(): number | undefined {
    return this.#parts.pace?.turnaroundMs ?? this.#parts.profile.transport.timing.replyMs;
  }

  silenceMs(baud: number): number {
    const { silenceBeforeMs = 0, byBaud } = this.#parts.profile.transport.timing;
    return Math.max(silenceBeforeMs, byBaud?.[String(baud)]?.silenceMs ?? 0);
  }

  get busy(): boolean {
    const idle = this.#unseen.length === 0;
    return this.#moving || !idle || !this.#behaviour.quiet(this.#state, this.#registers);
  }

  get moving(): boolean {
    return this.#moving;
  }

  get position(): number {
    return this.#behaviour.motion(this.#state).position;
  }

  answer(pdu: Uint8Array, nowMs: number): SimReply | undefined {
    const reply = this.handle(pdu, nowMs);
    return reply === undefined ? undefined : this.#faults.shape(this.unit, reply);
  }

  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined {
    this.advance(nowMs);
    if (nowMs < this.#silentUntilMs) return undefined;
    const dropped = this.#faults.dropped();
    if (dropped === "request") return undefined;
    this.#state = this.#behaviour.heard(this.#state);
    const fc = pdu[0] ?? 0;
    const refusal = this.#faults.refusal();
    const reply = refusal === undefined ? this.#answer(fc, pdu) : exceptionReply(fc, refusal);
    return dropped === "reply" ? undefined : reply;
  }

  broadcast(pdu: Uint8Array, nowMs: number): void {
    if (this.#parts.profile.transport.broadcast) this.handle(pdu, nowMs);
  }

  advance(nowMs: number): void {
    const from = this.#atMs ?? nowMs;
    let left = nowMs - from;
    this.#atMs = Math.max(from, nowMs);
    const faults = this.#faults.plant();
    const registers = this.#registers;
    while (left > 0) {
      const quiet = !this.#moving && this.#behaviour.quiet(this.#state, registers);
      const slice = quiet && this.#unseen.length === 0 ? left : Math.min(left, sliceMsMax);
      const dtMs = Math.min(left, slice);
      left -= dtMs;
      this.#look(nowMs - left);
      this.#state = this.#behaviour.step(this.#state, { dtMs, faults, registers });
      this.#noticeMotion(nowMs - left);
    }
  }

  setFault(name: FaultName, value: FaultValue | undefined, nowMs: number): void {
    this.advance(nowMs);
    if (isBusFault(name)) throw new SimProblem(`${name} is a fault of a bus, not of ${this.id}.`);
    if (name === "reboot") this.#reboot(nowMs, numberOf(name, value, rebootSilenceMs));
    else if (name === "trip") this.#trip(value);
    else this.#faults.set(name, value);
  }

  endFault(name: FaultName): void {
    if (isBusFault(name)) return;
    this.#faults.end(name);
    if (causes.has(name)) this.#state = this.#behaviour.released(this.#state);
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
      faults: this.#faults.view(),
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

  #reboot(nowMs: number, silenceMs: number): void {
    this.#image.reset(this.#defaults());
    this.#unseen = [];
    this.#state = this.#behaviour.reboot(this.#state);
    this.#silentUntilMs = nowMs + silenceMs;
    this.#noticeMotion(nowMs);
  }

  #trip(value: FaultValue | undefined): void {
    const holds = value === "hold";
    if (holds) this.#faults.hold("trip", "hold");
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
    this.#clamp(trace.points);
    const touched = { fc, address, count: words.length, words, points: trace.points };
    const scanMs = this.#faults.scanMs ?? this.#parts.pace?.scanMs ?? 0;
    if (scanMs > 0) {
      if (this.#unseen.length === 0) {
        this.#lookAtMs = (Math.floor((this.#atMs ?? 0) / scanMs) + 1) * scanMs;
      }
      // What is written twice within a scan is seen once, as it stands then.
      this.#unseen = [...this.#unseen.filter((one) => one.address !== address), touched];
      return undefined;
    }
    const done = this.#behaviour.written(this.#state, this.#registers, [touched]);
    if (done.ok) {
      this.#state = done.state;
      return undefined;
    }
    this.#image.undo(trace);
    return done.exception;
  }

  #look(nowMs: number): void {
    if (this.#unseen.length === 0 || nowMs < this.#lookAtMs) return;
    const touched = this.#unseen;
    this.#unseen = [];
    const done = this.#behaviour.written(this.#state, this.#registers, touched);
    // Too late for an exception: what the device cannot use, it leaves alone.
    if (done.ok) this.#state = done.state;
  }

  #clamp(points: readonly string[]): void {
    for (const point of points) {
      const most = this.#faults.clampOf(point);
      if (most === undefined) continue;
      const value = this.#image.written(point);
      if (Math.abs(value) > most) this.#image.put(point, Math.sign(value) * most);
    }
  }
}
