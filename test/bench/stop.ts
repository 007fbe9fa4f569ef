/**
 * Whether every stop is in its bound: in virtual time, on a paced line, and on sixteen TCP drives.
 *
 * The idea: a hundred thousand stops through the scheduler in virtual time, a thousand on a real
 * pseudo-terminal line with a dead unit, and a whole cell with sixteen driver processes, from the
 * HTTP request to the last stop frame. `--quick` is for tests. It refuses to judge.
 */
import { lineStops } from "./stop-line.js";
import { tcpStops } from "./stop-tcp.js";
import { virtualStops } from "./stop-virtual.js";

const quick = process.argv.includes("--quick");
const onLine = quick
  ? [{ baud: 19_200, stops: 30 }]
  : [
      { baud: 19_200, stops: 500 },
      { baud: 115_200, stops: 500 },
    ];

export async function benchStop(): Promise<object> {
  const virtual = await virtualStops(quick ? 0.01 : 1, say);
  let stops = virtual.stops;
  let inBound = virtual.inBound;
  let strangers = virtual.strangers;
  let starts = virtual.startsAfterStop;
  let lineShare = 1;
  for (const one of onLine) {
    const line = await lineStops(one, say);
    stops += line.stops;
    inBound += line.inBound;
    strangers += line.strangers;
    starts += line.startsAfterStop;
    lineShare = Math.min(lineShare, line.inBound / line.stops);
  }
  const tcp = await tcpStops(quick ? 20 : 100, say);
  return {
    rtuStopInBound: inBound / stops,
    rtuLineInBound: lineShare,
    rtuOtherFrames: strangers,
    // One process for each driver, as a cell file has it that says nothing else.
    tcp16P99Ms: hundredths(tcp.p99Ms),
    tcp16TogetherP99Ms: hundredths(tcp.togetherP99Ms),
    tcp16BareP99Ms: hundredths(tcp.bareP99Ms),
    startsAfterStop: starts + tcp.startsAfterStop,
  };
}

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
