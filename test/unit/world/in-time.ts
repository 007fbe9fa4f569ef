/**
 * Runs a test inside a virtual clock.
 *
 * The idea: the clock drains promises itself, which works only from a macrotask of its own. It
 * refuses real time.
 */
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { VirtualClock } from "#simulators/world/virtual-clock.js";
import { installWorld } from "#simulators/world/world-globals.js";

export function inTime(work: (clock: VirtualClock, random: SeededRandom) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      const clock = new VirtualClock();
      const restore = installWorld(clock, new SeededRandom(99));
      try {
        work(clock, new SeededRandom(7));
        resolve();
      } catch (error) {
        reject(error);
      } finally {
        restore();
      }
    }, 0);
  });
}
