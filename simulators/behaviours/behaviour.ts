/**
 * What a family of devices does with its registers.
 *
 * The idea: a behaviour is a set of pure functions over its own state (bits, modes, plant). It
 * names points, never addresses: where a point lies and how it is packed comes from the profile,
 * what a bit means comes from the maker's documents and is written here a second time, so that a
 * driver and its simulator cannot share one mistake. It refuses clocks: time is an argument.
 */

/** Raw numbers of points, signed as their type says; 0 where the profile has no such point. */
export type Registers = (point: string) => number;

/** Faults that the plant has to know. */
export interface PlantFaults {
  readonly stuck: boolean;
  /** A stuck axis trips when its following error leaves the limit. */
  readonly stuckTrips: boolean;
  readonly noPart: boolean;
}

export interface Slice {
  readonly dtMs: number;
  readonly faults: PlantFaults;
  readonly registers: Registers;
}

/** What a judge or a person sees of the plant, in the device's own raw unit. */
export interface MotionView {
  readonly moving: boolean;
  readonly position: number;
  readonly velocity: number;
}

/** `exception`: the write is refused and leaves no trace. */
export type Written<S> =
  | { readonly ok: true; readonly state: S }
  | { readonly ok: false; readonly exception: number };

/** One request that wrote or read something, in the order in which requests came. */
export interface Touched {
  readonly fc: number;
  readonly address: number;
  readonly count: number;
  /** Of a write: its words; coils as 0 and 1. Of a read: none. */
  readonly words: readonly number[];
  /** Points that lie in what was touched, in the order of their addresses. */
  readonly points: readonly string[];
}

export interface Behaviour<S> {
  /** Function codes that the device answers; others get exception 1. */
  readonly functions: ReadonlySet<number>;
  /** Contents of points after power-up that it does not set itself; the rest is 0. */
  readonly defaults: Readonly<Record<string, number>>;
  initial(): S;
  /** Power lost and back: the metal stays where it is, the electronics begin anew. */
  reboot(state: S): S;
  /** A request for this device has arrived; it feeds communication watchdogs. */
  heard(state: S): S;
  /** Writable points have just been set; `touched` says by which request. */
  written(state: S, registers: Registers, touched: readonly Touched[]): Written<S>;
  /** Points have just been read: for devices that a read changes. */
  wasRead?(state: S, touched: Touched): S;
  /** FC05 with 0x5500 turns a coil over (relay boards). @default false: exception 3 */
  readonly togglesCoils?: boolean;
  /** Time passes, at most a few milliseconds unless `quiet`. */
  step(state: S, slice: Slice): S;
  /** True when any length of time may pass in one step. */
  quiet(state: S, registers: Registers): boolean;
  /** Contents of the points that the device itself sets. */
  values(state: S): Readonly<Record<string, number>>;
  /** The device reports a fault of its own. `holds`: its cause stays until `released`. */
  trip(state: S, options: { readonly code?: number; readonly holds: boolean }): S;
  /** The cause of a held trip has gone. */
  released(state: S): S;
  motion(state: S): MotionView;
  /** For people: the state in a word. */
  word(state: S): string;
}

/** Exceptions of MODBUS 7. */
export const illegalFunction = 1;
export const illegalAddress = 2;
export const illegalValue = 3;
export const deviceFailure = 4;

export function bit(word: number, index: number): boolean {
  return ((word >> index) & 1) === 1;
}

/** A word from numbered bits. */
export function wordOf(bits: Readonly<Record<number, boolean>>): number {
  let word = 0;
  for (let index = 0; index < 32; index += 1) if (bits[index] === true) word |= 1 << index;
  return word;
}
