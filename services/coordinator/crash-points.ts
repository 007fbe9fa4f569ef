/**
 * The named places at which the coordinator may be made to die, for tests.
 *
 * The idea: every place where a crash leaves another half-done state behind has a name, all of
 * them stand in one list, and a test trips each. Nothing happens unless `main.ts` arms one. It
 * refuses to do anything but call what it was armed with.
 */

export const crashPoints = [
  // The run's row and its locks.
  "start.before-commit",
  "start.posted",
  "start.after-commit",
  "lease.asked",
  "lease.granted",
  // A step's intent, with the verdict of the step before it.
  "intent.before-commit",
  "intent.posted",
  "intent.after-commit",
  "intent.sent",
  "verdict.heard",
  // Any other decision of a run.
  "decision.before-commit",
  "decision.posted",
  "decision.after-commit",
  "stop.ordered",
  "still.heard",
  // An intent of makeSafe.
  "makeSafe.before-commit",
  "makeSafe.posted",
  "makeSafe.after-commit",
  "makeSafe.sent",
  "release.before",
  "release.sent",
  // The end of a run, which frees its locks.
  "end.before-commit",
  "end.posted",
  "end.after-commit",
  "archive.before-commit",
  "archive.posted",
  "archive.after-commit",
  // A start that found unfinished runs.
  "restart.loaded",
  "restart.stopped",
  "restart.ruled",
] as const;
export type CrashPoint = (typeof crashPoints)[number];

let trip: ((name: CrashPoint) => void) | undefined;

/** Called where a crash would matter. */
export function crashPoint(name: CrashPoint): void {
  trip?.(name);
}

/**
 * `NAME` or `NAME:n` dies at the first or nth time; several stand with commas between them and
 * each counts for itself. `die` does not return. What is no name is refused.
 */
export function armCrashPoints(text: string | undefined, die: () => void): void {
  trip = undefined;
  if (text === undefined || text === "") return;
  const left = new Map<string, number>();
  for (const part of text.split(",")) {
    const [name = "", times = "1"] = part.split(":");
    if (!crashPoints.some((known) => known === name))
      throw new RangeError(`no crash point ${name}`);
    left.set(name, Number(times));
  }
  trip = (name) => {
    const times = left.get(name);
    if (times === undefined) return;
    left.set(name, times - 1);
    if (times <= 1) die();
  };
}
