/**
 * What libraries take from Node besides time: immediates and chance, from the seed as well.
 *
 * The idea: a broker or a client in the world may ask for a later turn or a random number; both
 * have to come from the world, or a seed would not replay. A library that keeps the function of
 * its import's moment gets one that asks who is in charge now, so import this file before it. It
 * refuses to be in charge of two worlds at a time.
 */
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

type Later = (run: (...args: unknown[]) => void, ...args: unknown[]) => unknown;

const real = {
  later: globalThis.setImmediate as unknown as Later,
  undo: globalThis.clearImmediate,
};
let clock: VirtualClock | undefined;

/** An immediate of the world. */
class Immediate {
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  unref(): this {
    return this;
  }
}

const later: Later = (run, ...args) =>
  clock === undefined
    ? real.later(run, ...args)
    : new Immediate(clock.schedule(0, () => run(...args)));

const undo = (immediate: unknown): void => {
  if (immediate instanceof Immediate) immediate.cancel();
  else real.undo(immediate as NodeJS.Immediate);
};

// `util.promisify(setImmediate)` finds Node's own way through these.
Object.defineProperties(later, Object.getOwnPropertyDescriptors(real.later));
Object.assign(globalThis, { setImmediate: later, clearImmediate: undo });

/** Time, immediates and chance are the world's until what is returned is called. */
export function installWorld(world: VirtualClock, random: SeededRandom): () => void {
  if (clock !== undefined) throw new RangeError("another world is in charge");
  const restore = world.install();
  const { random: realRandom } = Math;
  clock = world;
  // The one place where it is named at all: it becomes the seed's, for libraries that ask it.
  Object.assign(Math, { random: () => random.next() });
  return () => {
    clock = undefined;
    Object.assign(Math, { random: realRandom });
    restore();
  };
}
