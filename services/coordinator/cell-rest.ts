/**
 * Whether a parked run is at rest: nothing of it moves, and nothing of it begins.
 *
 * The idea: the cell is Held or Suspended once every run is at rest. A thread that waits for a
 * time, a condition, an event or a person moves nothing, and with the run parked it stops where
 * its wait ends, before a second attempt too; the wait of a command is a step under way. Pure. It
 * refuses to call a run parked that is on its way to the safe state.
 */
import type { Run, Wait } from "./run-state.js";

export function isAtRest(run: Run): boolean {
  const { phase } = run;
  if (run.held === undefined) return false;
  // Nothing of it is leased.
  if (phase.at === "waiting") return true;
  return phase.at === "running" && phase.threads.every(({ wait }) => isIdle(wait));
}

function isIdle(wait: Wait): boolean {
  switch (wait.kind) {
    case "parked":
    case "join":
    case "dwell":
    case "backoff":
    case "condition":
    case "event":
    case "signal":
    case "ask":
      return true;
    case "verdict":
    case "readings":
    case "pause":
    case "stilling":
    case "lease":
      return false;
    default:
      return wait satisfies never;
  }
}
