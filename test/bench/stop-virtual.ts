/**
 * A hundred thousand stops on a loaded line with a dead unit, in virtual time.
 * The idea: the scheduler of the bus service itself, on a paced line. It refuses wall time.
 */
import { playLineStops } from "../sim/line-stops.js";

export interface VirtualStops {
  readonly stops: number;
  readonly inBound: number;
  readonly strangers: number;
  readonly startsAfterStop: number;
}

const runs = [
  { baud: 9600, stops: 10_000 },
  { baud: 19_200, stops: 45_000 },
  { baud: 115_200, stops: 45_000 },
] as const;

export async function virtualStops(
  share: number,
  say: (line: string) => void,
): Promise<VirtualStops> {
  const sum = { stops: 0, inBound: 0, strangers: 0, startsAfterStop: 0 };
  for (const { baud, stops: most } of runs) {
    const stops = Math.ceil(most * share);
    const seed = Number(process.env.BENCH_SEED ?? 1) + baud;
    const one = await playLineStops({ seed, stops, baud });
    const hours = (one.virtualMs / 3_600_000).toFixed(1);
    say(
      `virtual, ${baud} baud, 8 axes, 1 dead, seed ${seed}: ${one.inBound} of ${one.stops} stops ` +
        `within ${one.boundMs.toFixed(0)} ms, the longest ${one.longestMs.toFixed(0)} ms; ` +
        `${one.frames} frames (${one.others} polls and commands, ${one.metTraffic} of them under an order) in ${hours} h, ${one.strangers} between order and last stop frame, ` +
        `${one.startsAfterStop} starts after a stop, ${one.collisions} collisions`,
    );
    sum.stops += one.stops;
    sum.inBound += one.inBound;
    sum.strangers += one.strangers;
    sum.startsAfterStop += one.startsAfterStop;
  }
  return sum;
}
