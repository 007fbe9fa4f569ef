/**
 * Runs a test inside a virtual clock.
 *
 * The idea: clock and chance of one world, in a turn of its own. It refuses real time.
 */
import { inOwnTurn } from "#simulators/world/own-turn.js";
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { VirtualClock } from "#simulators/world/virtual-clock.js";
import { installWorld } from "#simulators/world/world-globals.js";

export function inTime(work: (clock: VirtualClock, random: SeededRandom) => void): Promise<void> {
  return inOwnTurn(() => {
    const clock = new VirtualClock();
    const restore = installWorld(clock, new SeededRandom(99));
    try {
      work(clock, new SeededRandom(7));
    } finally {
      restore();
    }
  });
}
