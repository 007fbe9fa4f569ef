/**
 * What a run waits for, and until when: ids, conditions, limits.
 *
 * The idea: the desk asks these instead of looking into the phases: whether a command is still
 * wanted before it leaves, which conditions to look at, when to call again. Pure. It refuses to
 * change anything.
 */
import type { Ms } from "#drivers/reading.js";
import type { Flight, Phase, Run, Wait } from "./run-state.js";

/** The request of a thread, makeSafe or start that an answer is awaited for. */
function idOf(wait: Wait): readonly string[] {
  if (wait.kind === "verdict") return [wait.flight.id];
  if (wait.kind === "lease") return [wait.request];
  return wait.kind === "readings" ? [wait.token] : [];
}

/** What this run waits for now; anything else that is ready to leave is stale. */
export function awaitedIds(run: Run): readonly string[] {
  const { phase } = run;
  switch (phase.at) {
    case "pending":
      return [phase.request];
    case "running":
      return phase.threads.flatMap(({ wait }) => idOf(wait));
    case "stopping":
      return phase.doubts.map(({ id }) => id);
    case "makingSafe": {
      const doing = phase.current?.doing;
      if (doing?.kind === "operation") return [doing.flight.id];
      return doing?.kind === "lease" ? [doing.id] : [];
    }
    case "waiting":
    case "unlatching":
    case "releasing":
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
    case "abandoned":
      return [];
    default:
      return phase satisfies never;
  }
}

export function isAwaited(run: Run, id: string): boolean {
  return awaitedIds(run).includes(id);
}

/** What the desk knows of a command: true while it has to wait before it may leave. */
export type IsHeld = (id: string) => boolean;

function flightDue(flight: Flight, endByMs: Ms, isHeld: IsHeld): Ms {
  // What has not left yet cannot be accepted: only the time of its step runs.
  if (flight.acceptByMs === undefined || isHeld(flight.id)) return endByMs;
  return Math.min(endByMs, flight.acceptByMs);
}

function waitDue(wait: Wait, isHeld: IsHeld): Ms | undefined {
  switch (wait.kind) {
    case "verdict":
      return flightDue(wait.flight, wait.endByMs, isHeld);
    case "dwell":
    case "backoff":
    case "pause":
      return wait.untilMs;
    case "lease":
      return Math.min(wait.endByMs, wait.againAtMs ?? wait.endByMs);
    case "condition":
    case "event":
    case "signal":
    case "ask":
    case "readings":
    case "stilling":
      return wait.endByMs;
    case "join":
    case "parked":
      return undefined;
    default:
      return wait satisfies never;
  }
}

function safeDue(phase: Extract<Phase, { at: "makingSafe" }>, isHeld: IsHeld): Ms | undefined {
  const work = phase.current;
  if (work === undefined) return undefined;
  const { doing } = work;
  if (doing.kind === "operation") return flightDue(doing.flight, work.endByMs, isHeld);
  if (doing.kind === "standstill") return work.endByMs;
  return Math.min(work.endByMs, doing.againAtMs ?? work.endByMs);
}

/** When the run wants its next tick; undefined: never. */
export function dueMs(run: Run, isHeld: IsHeld = () => false): Ms | undefined {
  const { phase } = run;
  switch (phase.at) {
    case "pending":
      return Math.min(phase.endByMs, phase.againAtMs ?? phase.endByMs);
    case "stopping":
    case "unlatching":
    case "releasing":
      return phase.endByMs;
    case "running": {
      const due = phase.threads.flatMap(({ wait }) => waitDue(wait, isHeld) ?? []);
      return due.length === 0 ? undefined : Math.min(...due);
    }
    case "makingSafe":
      return safeDue(phase, isHeld);
    case "waiting":
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
