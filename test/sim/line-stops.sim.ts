/**
 * Stops on a loaded serial line in virtual time: in bound, and nothing but stop frames between.
 * The idea: the scheduler that runs on real lines, a thousand orders at random moments. It refuses
 * wall time; `npm run bench -- stop` plays a hundred thousand.
 */
import { expect, test } from "vitest";
import { playLineStops } from "./line-stops.js";

test.each([
  [9600, 100],
  [19_200, 600],
  [115_200, 300],
])(
  "stops on a line of 8 axes, one dead, at random moments (baud=%i, stops=%i): in bound",
  async (baud, stops) => {
    const outcome = await playLineStops({ seed: baud, stops, baud });
    expect(outcome).toMatchObject({
      stops,
      inBound: stops,
      strangers: 0,
      startsAfterStop: 0,
      collisions: 0,
    });
    expect(outcome.longestMs).toBeGreaterThan(0);
    // The line was loaded: without traffic between and under the orders this would prove nothing.
    expect(outcome.others).toBeGreaterThan(2 * stops);
    expect(outcome.metTraffic).toBeGreaterThan(stops / 2);
  },
  60_000,
);
