/**
 * What ends a run's way from outside: a lost lease, a trip, a cancel, a person's stop.
 *
 * The idea: in every phase it says which of the two ends follows: makeSafe, where something of the
 * run has failed or was cancelled, or standing still until a person says so [PROTOCOL 1]. Pure. It
 * refuses to let anything but a person's stop or a trip break into makeSafe.
 */
import type { RunEvent, RunTurn } from "./run-events.js";
import { countsOn, giveUpLeasing } from "./run-leasing.js";
import { onSafeLeaseLost } from "./run-safing.js";
import type { Cause, Now, Run } from "./run-state.js";
import { enterStopping, onResumeFailed, settle } from "./run-stopping.js";

type On<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;

export function onLeaseLost(run: Run, event: On<"leaseLost">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const cause = { code: "LEASE_LOST", text: `${event.device}: ${event.text}` };
  if (!countsOn(run, event.device)) return undefined;
  if (phase.at === "pending") return giveUpLeasing(run, phase, cause, now);
  if (phase.at === "running") return enterStopping(run, { next: "makeSafe", cause }, now.ms);
  if (phase.at === "stopping") return onResumeFailed(run, phase, cause, now.ms);
  return phase.at === "makingSafe" ? onSafeLeaseLost(run, phase, event, now.ms) : undefined;
}

export function onTripped(run: Run, event: On<"tripped">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const cause = { code: event.code, text: `${event.device}: ${event.text}` };
  if (!countsOn(run, event.device)) return undefined;
  switch (phase.at) {
    case "pending":
      // Of a new run nothing has moved; one that is being resumed waits for a person.
      if (phase.threads === undefined) return giveUpLeasing(run, phase, cause, now);
      return enterStopping(run, { next: "stopped", cause }, now.ms);
    case "running":
    case "makingSafe":
      return enterStopping(run, { next: "stopped", cause }, now.ms);
    case "stopping":
      if (phase.next === "stopped") return undefined;
      return settle({ ...run, cause, phase: { ...phase, next: "stopped" } }, now.ms);
    case "unlatching":
      return { state: { ...run, cause, phase: { at: "stopped" } }, effects: [] };
    case "waiting":
    case "releasing":
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}

/** makeSafe is shielded: once the run is on its way there, failing or cancelling adds nothing. */
export function onFailed(run: Run, cause: Cause, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "pending" || phase.at === "waiting") {
    return giveUpLeasing(run, phase, cause, now);
  }
  if (phase.at === "stopping") return onResumeFailed(run, phase, cause, now.ms);
  if (phase.at !== "running") return undefined;
  return enterStopping(run, { next: "makeSafe", cause }, now.ms);
}

export function onOperatorStop(run: Run, event: On<"operatorStop">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const known = event.stop === undefined || run.stops.includes(event.stop);
  const stops = known || event.stop === undefined ? run.stops : [...run.stops, event.stop];
  const cause = { code: "LATCHED", text: event.text };
  switch (phase.at) {
    case "waiting":
      return giveUpLeasing(run, phase, cause, now);
    case "pending":
    case "running":
    case "unlatching":
    case "makingSafe": {
      const { how } = event;
      return enterStopping({ ...run, stops }, { next: "stopped", cause, how }, now.ms);
    }
    case "stopping":
      if (phase.next === "stopped" && known) return undefined;
      return settle({ ...run, stops, cause, phase: { ...phase, next: "stopped" } }, now.ms);
    case "stopped":
    case "needsOperator":
    case "releasing":
      return known ? undefined : { state: { ...run, stops }, effects: [] };
    case "completed":
    case "madeSafe":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}
