/**
 * All judges, and the sentence that they pass on a trace together.
 *
 * The idea: whoever plays a cell, in virtual time or with real processes, asks here and gets the
 * findings in the order of time. It refuses to choose judges for anybody: a promise that a trace
 * cannot show is for its own judge to leave alone.
 */
import { disarmed } from "./disarmed.js";
import { events } from "./events.js";
import { holdToRun } from "./hold-to-run.js";
import { honestVerdicts } from "./honest-verdicts.js";
import { intentFirst } from "./intent-first.js";
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { limits } from "./limits.js";
import { motionUnderLease } from "./motion-under-lease.js";
import { nothingAfterStop } from "./nothing-after-stop.js";
import { once } from "./once.js";
import { recipes } from "./recipes.js";
import { runsEnd } from "./runs-end.js";
import { stopBegins } from "./stop-begins.js";
import { stoppedRuns } from "./stopped-runs.js";
import type { TraceLine } from "./trace.js";
import { truth } from "./truth.js";

export const judges: readonly Judge[] = [
  motionUnderLease,
  holdToRun,
  once,
  nothingAfterStop,
  stopBegins,
  stoppedRuns,
  limits,
  intentFirst,
  runsEnd,
  truth,
  events,
  honestVerdicts,
  disarmed,
  recipes,
];

/** What every judge finds, in the order of time. `trace` is in the order of time. */
export function judge(trace: readonly TraceLine[], facts: JudgeFacts): Finding[] {
  const found = judges.flatMap(({ name, find }) => {
    return find(trace, facts).map((finding) => ({ judge: name, ...finding }));
  });
  return found.sort((a, b) => a.at - b.at);
}
