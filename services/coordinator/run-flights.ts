/**
 * Commands on their way: accepted, sent again under the same id, or given up.
 *
 * The idea: a repeat of an id never executes twice [PROTOCOL 11], so a command that nobody has
 * accepted goes out again, at most twice, and is then in doubt. Pure. It refuses new ids for old
 * commands.
 */
import type { Ms } from "#drivers/reading.js";
import {
  acceptMsMax,
  type Cause,
  type Flight,
  type Run,
  type RunTurn,
  sendsMax,
} from "./run-state.js";

/** The command this run waits for, of a step or of a makeSafe. */
export function flightOf(run: Run): Flight | undefined {
  const { phase } = run;
  if (phase.at === "running" && phase.wait.kind === "verdict") return phase.wait.flight;
  if (phase.at !== "makingSafe" || phase.current?.doing.kind !== "operation") return undefined;
  return phase.current.doing.flight;
}

function withFlight(run: Run, flight: Flight): Run {
  const { phase } = run;
  if (phase.at === "running" && phase.wait.kind === "verdict") {
    return { ...run, phase: { ...phase, wait: { ...phase.wait, flight } } };
  }
  if (phase.at !== "makingSafe" || phase.current === undefined) return run;
  const current = { ...phase.current, doing: { kind: "operation", flight } } as const;
  return { ...run, phase: { ...phase, current } };
}

export function onAccepted(run: Run, id: string): RunTurn | undefined {
  const flight = flightOf(run);
  if (flight?.id !== id || flight.acceptByMs === undefined) return undefined;
  const { acceptByMs: _limit, ...accepted } = flight;
  return { state: withFlight(run, accepted), effects: [] };
}

/** The driver repeats the stored answer; nothing is executed again. */
export function onReconnected(run: Run): RunTurn | undefined {
  const flight = flightOf(run);
  return flight === undefined ? undefined : { state: run, effects: [{ kind: "send", flight }] };
}

export type FlightTick =
  /** Not due, or no command on its way. */
  | { readonly kind: "nothing" }
  | { readonly kind: "again"; readonly turn: RunTurn }
  | { readonly kind: "givenUp"; readonly cause: Cause };

export function flightTick(run: Run, nowMs: Ms): FlightTick {
  const flight = flightOf(run);
  const due = flight?.acceptByMs;
  if (flight === undefined || due === undefined || nowMs < due) return { kind: "nothing" };
  if (flight.sends >= sendsMax) {
    const text = `the driver of ${flight.device} did not answer ${flight.verb}`;
    return { kind: "givenUp", cause: { code: "OUTCOME_UNKNOWN", text } };
  }
  const again = { ...flight, sends: flight.sends + 1, acceptByMs: nowMs + acceptMsMax };
  const state = withFlight(run, again);
  return { kind: "again", turn: { state, effects: [{ kind: "send", flight: again }] } };
}
