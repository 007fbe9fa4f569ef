/**
 * The judge of the journal: a coordinator commands only what its disk already has.
 *
 * The idea: a command whose intent is not on the disk is one that nobody would settle after a
 * crash. It refuses traces without any intent: those come from real processes, whose disk nobody
 * watches.
 */
import type { Finding, Judge } from "./judge.js";
import { linesOf, type TraceLine } from "./trace.js";

/** Requests of a coordinator that no run has intended. */
const withoutIntent: ReadonlySet<string> = new Set(["lease", "release-lease", "query", "reset"]);

export const intentFirst: Judge = {
  name: "intent-first",
  promise: "A coordinator publishes a command only when its disk has taken the intent.",
  find(trace: readonly TraceLine[]): readonly Omit<Finding, "judge">[] {
    if (linesOf(trace, "intent").length === 0) return [];
    const intents = new Set<string>();
    const found: Omit<Finding, "judge">[] = [];
    for (const line of trace) {
      if (line.kind === "intent") intents.add(line.id);
      if (line.kind !== "command" || !line.from.startsWith("coordinator")) continue;
      if (withoutIntent.has(line.verb) || intents.has(line.id)) continue;
      const { at, id, device, verb } = line;
      found.push({ at, device, text: `${device} ${verb} (${id}): its intent is not on the disk` });
    }
    return found;
  },
};
