/**
 * `npm run bench -- NAME`: runs one benchmark, or names them all.
 *
 * The idea: each benchmark prints what it measures in words, and ends with one line `BENCH {…}`
 * of JSON. It refuses to judge: a figure means something beside another one of the same run.
 */
import { favourSession, motionPriority } from "../../services/supervisor/priority.js";
import { benchBoot } from "./boot.js";
import { benchLane } from "./lane.js";
import { benchLine } from "./line.js";
import { benchSaga } from "./saga.js";
import { benchStop } from "./stop.js";

const benches: { readonly [name: string]: () => Promise<object> } = {
  boot: benchBoot,
  lane: benchLane,
  line: benchLine,
  saga: benchSaga,
  stop: benchStop,
};

const name = process.argv[2];
const bench = name !== undefined && Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  process.stderr.write(`benchmarks: ${Object.keys(benches).join(", ")}\n`);
  process.exitCode = 1;
} else {
  // The devices live in here. They keep step with the services, which raise themselves above it.
  favourSession(process.pid, motionPriority);
  process.stdout.write(`BENCH ${JSON.stringify(await bench())}\n`);
}
