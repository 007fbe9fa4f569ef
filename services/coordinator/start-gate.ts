/**
 * Moves that share an interlock are started one at a time [PROTOCOL 8].
 *
 * The idea: a command of an interlocked device, or of the one that the interlock reads, holds the
 * gate from its leaving until its driver says that it runs or has ended; where the next one's
 * permit is read off the device that has just started, also until that permit has had time to see
 * it. So two axes that may not move at once are never both let off by permits from before either
 * moved, whichever branches and runs they belong to. Who came first goes first. It refuses to hold
 * anything for a run that waits for the command no more.
 */
import type { Ms } from "#drivers/reading.js";
import type { CellConfig, DeviceConfig, InterlockConfig } from "#kernel/config/cell.js";
import { movesBy } from "#kernel/config/moving-verbs.js";
import type { Flight } from "./run-state.js";

/** A permit is said on change and at least every 50 ms; the rest is its way to the mover. */
const permitMsMax: Ms = 80;

type Mover = Pick<DeviceConfig, "id" | "profile" | "pollFastMs">;

interface Waiting {
  readonly id: string;
  readonly device: string;
  readonly go: () => void;
}
interface Inside {
  readonly device: string;
  /** It moves; only those whose permit it feeds wait on until that is told. */
  readonly started: boolean;
}

export class StartGate {
  readonly #interlocks: readonly InterlockConfig[];
  readonly #devices: readonly Mover[];
  readonly #inside = new Map<string, Inside>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Axes in a person's hand: nothing that shares an interlock with them starts. */
  readonly #occupied = new Map<string, string>();
  #waiting: readonly Waiting[] = [];

  constructor({
    interlocks,
    devices,
  }: Pick<CellConfig, "interlocks"> & { devices: readonly Mover[] }) {
    this.#interlocks = interlocks;
    this.#devices = devices;
  }

  /** Calls `go` now, or when the moves before it have started. */
  enter({ id, device, verb }: Pick<Flight, "id" | "device" | "verb">, go: () => void): void {
    if (!this.#moves(device, verb)) {
      go();
      return;
    }
    this.#waiting = [...this.#waiting, { id, device, go }];
    this.#next();
  }

  /** True while the command has to wait for others; it has not left yet. */
  isHeld(id: string): boolean {
    return this.#waiting.some((waiting) => waiting.id === id);
  }

  /** The move has started. */
  leave(id: string): void {
    const inside = this.#inside.get(id);
    if (inside === undefined || inside.started) return;
    const { device } = inside;
    if (!this.#interlocks.some(({ evaluator }) => evaluator === device)) {
      this.#remove(id);
      this.#next();
      return;
    }
    this.#inside.set(id, { device, started: true });
    const told = () => {
      this.#remove(id);
      this.#next();
    };
    this.#timers.set(id, setTimeout(told, this.#pollMsOf(device) + permitMsMax));
    this.#next();
  }

  /** Forgets commands that no run waits for any more. */
  sweep(isAwaited: (id: string) => boolean): void {
    this.#waiting = this.#waiting.filter(({ id }) => isAwaited(id));
    for (const id of [...this.#inside.keys()]) if (!isAwaited(id)) this.#remove(id);
    this.#next();
  }

  /** A person moves this device by holding a button, under this id. */
  occupy(id: string, device: string): void {
    this.#occupied.set(id, device);
  }

  vacate(id: string): void {
    if (this.#occupied.delete(id)) this.#next();
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#waiting = [];
    for (const id of [...this.#inside.keys()]) this.#remove(id);
  }

  /** What does not move anything, such as an enable of a servo, goes by all others. */
  #moves(device: string, verb: string): boolean {
    const profile = this.#devices.find(({ id }) => id === device)?.profile;
    return profile === undefined || movesBy(profile, verb);
  }

  #pollMsOf(device: string): Ms {
    return this.#devices.find(({ id }) => id === device)?.pollFastMs ?? 0;
  }

  #remove(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#inside.delete(id);
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      // What `go` brings about may have changed the line.
      if (!this.#waiting.includes(waiting) || !this.#isNext(waiting)) continue;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      const { id, device, go } = waiting;
      const isBound = this.#interlocks.some((one) => isOf(one, device));
      if (isBound) this.#inside.set(id, { device, started: false });
      go();
    }
  }

  /** Nobody inside, and nobody who came before it, shares an interlock with it. */
  #isNext(waiting: Waiting): boolean {
    const { device } = waiting;
    for (const inside of this.#inside.values()) if (this.#bars(inside, device)) return false;
    for (const held of this.#occupied.values()) {
      if (this.#bars({ device: held, started: false }, device)) return false;
    }
    for (const other of this.#waiting) {
      if (other === waiting) return true;
      if (this.#bars({ device: other.device, started: false }, device)) return false;
    }
    return true;
  }

  #bars(inside: Inside, device: string): boolean {
    return this.#interlocks.some((one) =>
      inside.started
        ? one.evaluator === inside.device && one.moves.includes(device)
        : isOf(one, inside.device) && isOf(one, device),
    );
  }
}

/** It moves by this interlock's permit, or the permit is read off it. */
function isOf({ moves, evaluator }: InterlockConfig, device: string): boolean {
  return evaluator === device || moves.includes(device);
}
