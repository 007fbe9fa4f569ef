/**
 * Commands on their way: accepted, sent again under the same id, or given up.
 *
 * The idea: a repeat of an id never executes twice [PROTOCOL 11], so a command that nobody has
 * accepted goes out again, at most twice, and is then in doubt. Pure. It refuses new ids for old
 * commands.
 */
import type { Ms } from "#drivers/reading.js";
import type { RunEffect, RunTurn } from "./run-events.js";
import { acceptMsMax, sendsMax } from "./run-limits.js";
import type { Cause, Flight, Run, Wait } from "./run-state.js";

/** The commands this run waits for, of steps or of a makeSafe. */
export function flightsOf(run: Run): readonly Flight[] {
  const { phase } = run;
  if (phase.at === "running") {
    return phase.threads.flatMap(({ wait }) => (wait.kind === "verdict" ? [wait.flight] : []));
  }
  if (phase.at !== "makingSafe" || phase.current?.doing.kind !== "operation") return [];
  return [phase.current.doing.flight];
}

export function flightOf(run: Run, id: string): Flight | undefined {
  return flightsOf(run).find((flight) => flight.id === id);
}

export function withFlight(run: Run, flight: Flight): Run {
  const { phase } = run;
  if (phase.at === "running") {
    const fly = (wait: Wait): Wait =>
      wait.kind === "verdict" && wait.flight.id === flight.id ? { ...wait, flight } : wait;
    const threads = phase.threads.map((thread) => ({ ...thread, wait: fly(thread.wait) }));
    return { ...run, phase: { ...phase, threads } };
  }
  if (phase.at !== "makingSafe" || phase.current === undefined) return run;
  const current = { ...phase.current, doing: { kind: "operation", flight } } as const;
  return { ...run, phase: { ...phase, current } };
}

export function onAccepted(run: Run, id: string): RunTurn | undefined {
  const flight = flightOf(run, id);
  if (flight?.acceptByMs === undefined) return undefined;
  const { acceptByMs: _limit, ...accepted } = flight;
  return { state: withFlight(run, accepted), effects: [] };
}

/** The driver repeats the stored answer; nothing is executed again. */
export function onReconnected(run: Run): RunTurn | undefined {
  const flights = flightsOf(run);
  if (flights.length === 0) return undefined;
  return { state: run, effects: flights.map((flight) => ({ kind: "send", flight })) };
}

/** The commands that may leave once this decision is on the disk. */
export function intendedIds(effects: readonly RunEffect[]): readonly string[] {
  return effects.flatMap((effect) =>
    effect.kind === "send" && effect.intent !== undefined ? [effect.flight.id] : [],
  );
}

export type FlightDue =
  /** Not due, or it has not left yet. */
  | { readonly kind: "nothing" }
  | { readonly kind: "again"; readonly flight: Flight }
  | { readonly kind: "givenUp"; readonly cause: Cause };

/** `held`: commands that have not left yet; nobody can have accepted them. */
export function flightDue(flight: Flight, nowMs: Ms, held: readonly string[] = []): FlightDue {
  const due = flight.acceptByMs;
  if (due === undefined || nowMs < due || held.includes(flight.id)) return { kind: "nothing" };
  if (flight.sends >= sendsMax) {
    const text = `the driver of ${flight.device} did not answer ${flight.verb}`;
    return { kind: "givenUp", cause: { code: "OUTCOME_UNKNOWN", text } };
  }
  const again = { ...flight, sends: flight.sends + 1, acceptByMs: nowMs + acceptMsMax };
  return { kind: "again", flight: again };
}
