/**
 * The state of the cell: a subset of PackML, moved by runs, stops and the operator.
 *
 * The idea: runs say what has happened to them, and this table says what the cell is therefore in
 * [PROTOCOL 15]; `allowed` is read off the same table, so a button never offers what would be
 * refused. Nothing leaves Stopped or Aborted by itself. Pure. It refuses to know runs and axes.
 */
import type { CellCommand, CellState } from "#kernel/contract/payloads.js";

export type CellPhase =
  | { readonly at: Exclude<CellState, "Aborted"> }
  /** After a restart, Aborted lasts until every open run has ended; else until `clear`. */
  | { readonly at: "Aborted"; readonly until: "runsEnd" | "clear" };

/** Runs beside the one that is spoken of, and what holds the cell. */
export interface CellFacts {
  /** Other runs that move or are about to. */
  readonly others: number;
  /** Runs that are `stopped` or `needsOperator`: a person has to choose first. */
  readonly waiting: number;
  readonly onRunFailure: "cell" | "run";
}

export type CellInput =
  /** The coordinator has started and knows its open runs and latches. */
  | { readonly kind: "booted"; readonly open: number; readonly latched: number }
  | { readonly kind: "runStarted" }
  /** The last step of a run is done. */
  | { readonly kind: "runCompleting" }
  | { readonly kind: "runCompleted" }
  /** A run failed, was cancelled, or was stopped. */
  | { readonly kind: "runStopping" }
  | { readonly kind: "runNeedsOperator" }
  /** A stop by a person that means the whole cell, or an axis of no run. */
  | { readonly kind: "operatorStop"; readonly abort: boolean }
  /** No run is active and every stop has been answered, or has been waited for. */
  | { readonly kind: "settled" }
  /** No run is open any more. */
  | { readonly kind: "runsEnded" }
  | { readonly kind: "reset" }
  | { readonly kind: "resetDone"; readonly ok: boolean }
  | { readonly kind: "clear" };
export type CellInputKind = CellInput["kind"];

export interface CellEffect {
  readonly kind: "changed";
  readonly from: CellState;
}
export interface CellTurn {
  readonly state: CellPhase;
  readonly effects: readonly CellEffect[];
}

/** Before `booted`: nothing is known, so nothing may start. */
export const cellAtBoot: CellPhase = { at: "Aborted", until: "runsEnd" };

/** Undefined: the input changes nothing, or a command is refused. */
export function nextCell(
  state: CellPhase,
  input: CellInput,
  facts: CellFacts,
): CellTurn | undefined {
  const to = target(state, input, facts);
  if (to === undefined) return undefined;
  const effects = to.at === state.at ? [] : [{ kind: "changed", from: state.at } as const];
  return { state: to, effects };
}

function target(state: CellPhase, input: CellInput, facts: CellFacts): CellPhase | undefined {
  switch (input.kind) {
    case "booted":
      return onBooted(state, input);
    case "runStarted":
      return startable.has(state.at) ? { at: "Execute" } : undefined;
    case "runCompleting":
      return state.at === "Execute" && facts.others === 0 ? { at: "Completing" } : undefined;
    case "runCompleted":
      return onCompleted(state, facts);
    case "runStopping":
      if (facts.onRunFailure === "run" && facts.others > 0) return undefined;
      return producing.has(state.at) ? { at: "Stopping" } : undefined;
    case "runNeedsOperator":
      return isAborting(state) ? undefined : { at: "Aborting" };
    case "operatorStop":
      return onOperatorStop(state, input.abort);
    case "settled":
      return onSettled(state);
    case "runsEnded":
      return state.at === "Aborted" && state.until === "runsEnd" ? { at: "Stopped" } : undefined;
    case "reset":
      return mayReset(state, facts) ? { at: "Resetting" } : undefined;
    case "resetDone":
      if (state.at !== "Resetting") return undefined;
      return input.ok ? { at: "Idle" } : { at: "Stopped" };
    case "clear":
      return mayClear(state, facts) ? { at: "Stopped" } : undefined;
    default:
      return input satisfies never;
  }
}

const startable: ReadonlySet<CellState> = new Set(["Idle", "Complete", "Execute"]);
/** States in which a failing run takes the cell down. */
const producing: ReadonlySet<CellState> = new Set(["Idle", "Execute", "Completing", "Complete"]);

function isAborting(state: CellPhase): boolean {
  return state.at === "Aborting" || state.at === "Aborted";
}

function onBooted(
  state: CellPhase,
  input: { readonly open: number; readonly latched: number },
): CellPhase | undefined {
  if (state.at !== "Aborted" || state.until !== "runsEnd") return undefined;
  if (input.open > 0) return state;
  return { at: input.latched > 0 ? "Stopped" : "Idle" };
}

function onCompleted(state: CellPhase, facts: CellFacts): CellPhase | undefined {
  if (state.at !== "Execute" && state.at !== "Completing") return undefined;
  if (facts.others > 0) return undefined;
  // A run that waits for a person was stopped: the cell is not complete [PROTOCOL 15].
  return { at: facts.waiting > 0 ? "Stopping" : "Complete" };
}

function onOperatorStop(state: CellPhase, abort: boolean): CellPhase | undefined {
  if (isAborting(state)) return undefined;
  if (abort) return { at: "Aborting" };
  return state.at === "Stopping" ? undefined : { at: "Stopping" };
}

function onSettled(state: CellPhase): CellPhase | undefined {
  if (state.at === "Stopping") return { at: "Stopped" };
  return state.at === "Aborting" ? { at: "Aborted", until: "clear" } : undefined;
}

function mayReset(state: CellPhase, facts: CellFacts): boolean {
  const { at } = state;
  return (at === "Stopped" || at === "Complete") && facts.waiting === 0 && facts.others === 0;
}

function mayClear(state: CellPhase, facts: CellFacts): boolean {
  return state.at === "Aborted" && state.until === "clear" && facts.waiting === 0;
}

/** What is valid now. Stops always are [PROTOCOL 5]. */
export function allowed(state: CellPhase, facts: CellFacts): CellCommand[] {
  const stops: CellCommand[] = ["stop", "quickStop", "abort"];
  if (startable.has(state.at)) stops.unshift("start");
  if (mayReset(state, facts)) stops.push("reset");
  if (mayClear(state, facts)) stops.push("clear");
  return stops;
}
