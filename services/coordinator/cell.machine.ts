/**
 * The state of the cell after PackML: its 17 states, its modes, moved by runs, stops and people.
 *
 * The idea: runs say what has happened to them, and this table says what the cell is therefore in
 * [PROTOCOL 15]; `allowed` is read off the same table, so a button never offers what would be
 * refused. Nothing leaves Stopped, Aborted or Held by itself; the one thing that goes on without a
 * person is a suspension by a declared condition, out of Suspended. Pure. It refuses to know runs
 * and axes.
 */
import type { CellMode } from "#kernel/config/saga.js";
import { type CellCommand, type CellState, cellCommands } from "#kernel/contract/payloads.js";

/** Who suspended: only what a condition has suspended goes on by itself. */
export type SuspendedBy = "person" | "condition";
/** Parked runs go on by the word that fits how they were parked. */
export type ParkHow = "hold" | "suspend";

export type CellPhase =
  | { readonly at: Exclude<CellState, "Aborted" | "Suspending" | "Suspended"> }
  | { readonly at: "Suspending" | "Suspended"; readonly by: SuspendedBy }
  /** After a restart, Aborted lasts until every open run has ended; else until `clear`. */
  | { readonly at: "Aborted"; readonly until: "runsEnd" | "clear" };

export type CellSituation = CellPhase & { readonly mode: CellMode };

/** Runs beside the one that is spoken of, and what holds the cell. */
export interface CellFacts {
  /** Other runs that move, are parked, or are about to move. */
  readonly others: number;
  /** Runs that are `stopped` or `needsOperator`: a person has to choose first. */
  readonly waiting: number;
  /** Active runs that are parked by hold and by suspend. */
  readonly held: number;
  readonly suspended: number;
  readonly onRunFailure: "cell" | "run";
}

export type CellInput =
  /** The coordinator has started and knows its open runs and latches. */
  | { readonly kind: "booted"; readonly open: number; readonly latched: number }
  | { readonly kind: "runStarted" }
  /** A run has its leases, and its first step is begun. */
  | { readonly kind: "runMoving" }
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
  | { readonly kind: "clear" }
  /** That the cell was cleared is on the disk. */
  | { readonly kind: "cleared" }
  | { readonly kind: "hold" }
  | { readonly kind: "unhold" }
  | { readonly kind: "suspend"; readonly by: SuspendedBy }
  | { readonly kind: "unsuspend"; readonly by: SuspendedBy }
  /** Every active run stands between two steps. */
  | { readonly kind: "parked" }
  /** No run is parked any more. */
  | { readonly kind: "going" }
  | { readonly kind: "mode"; readonly mode: CellMode };
export type CellInputKind = CellInput["kind"];

export type CellEffect =
  | { readonly kind: "changed"; readonly from: CellState }
  | { readonly kind: "modeChanged"; readonly from: CellMode }
  /** Every active run begins no new step. */
  | { readonly kind: "park"; readonly how: ParkHow }
  /** Runs that were parked in this way go on. */
  | { readonly kind: "release"; readonly how: ParkHow };
export interface CellTurn {
  readonly state: CellSituation;
  readonly effects: readonly CellEffect[];
}

/** Before `booted`: nothing is known, so nothing may start. */
export function cellAtBoot(mode: CellMode = "Production"): CellSituation {
  return { at: "Aborted", until: "runsEnd", mode };
}

/** Undefined: the input changes nothing, or a command is refused. */
export function nextCell(
  state: CellSituation,
  input: CellInput,
  facts: CellFacts,
): CellTurn | undefined {
  if (input.kind === "mode") return onMode(state, input.mode, facts);
  const to = target(state, input, facts);
  if (to === undefined) return undefined;
  const changed = to.at === state.at ? [] : [{ kind: "changed", from: state.at } as const];
  const { mode } = state;
  return { state: { ...to, mode }, effects: [...changed, ...runEffects(input)] };
}

function runEffects(input: CellInput): readonly CellEffect[] {
  switch (input.kind) {
    case "hold":
    case "suspend":
      return [{ kind: "park", how: input.kind }];
    case "unhold":
      return [{ kind: "release", how: "hold" }];
    case "unsuspend":
      return [{ kind: "release", how: "suspend" }];
    default:
      return [];
  }
}

function target(
  state: CellSituation,
  input: Exclude<CellInput, { readonly kind: "mode" }>,
  facts: CellFacts,
): CellPhase | undefined {
  switch (input.kind) {
    case "booted":
      return onBooted(state, input);
    case "runStarted":
      return onStarted(state);
    case "runMoving":
      return state.at === "Starting" ? { at: "Execute" } : undefined;
    case "runCompleting":
      if (state.at === "Completing" || facts.others > 0) return undefined;
      return executing.has(state.at) ? { at: "Completing" } : undefined;
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
      return mayClear(state, facts) ? { at: "Clearing" } : undefined;
    case "cleared":
      return state.at === "Clearing" ? { at: "Stopped" } : undefined;
    default:
      return parking(state, input, facts);
  }
}

type Parking = Extract<
  CellInput,
  { readonly kind: "hold" | "unhold" | "suspend" | "unsuspend" | "parked" | "going" }
>;

/** Hold by a person, suspension by a person or a condition; each goes on by its own word. */
function parking(state: CellSituation, input: Parking, facts: CellFacts): CellPhase | undefined {
  switch (input.kind) {
    case "hold":
      return holdable.has(state.at) ? { at: "Holding" } : undefined;
    case "unhold":
      if (isAwaitingRuns(state) && facts.held > 0) return state;
      return state.at === "Held" ? { at: "Unholding" } : undefined;
    case "suspend":
      return state.at === "Execute" ? { at: "Suspending", by: input.by } : undefined;
    case "unsuspend":
      return onUnsuspend(state, input.by, facts);
    case "parked":
      if (state.at === "Suspending") return { at: "Suspended", by: state.by };
      return state.at === "Holding" ? { at: "Held" } : undefined;
    case "going":
      if (state.at !== "Unholding" && state.at !== "Unsuspending") return undefined;
      return { at: "Execute" };
    default:
      return input satisfies never;
  }
}

function onUnsuspend(
  state: CellSituation,
  by: SuspendedBy,
  facts: CellFacts,
): CellPhase | undefined {
  // What was parked before a restart goes on by a person's word only.
  if (by === "person" && isAwaitingRuns(state) && facts.suspended > 0) return state;
  if (state.at !== "Suspended") return undefined;
  return by === "person" || state.by === "condition" ? { at: "Unsuspending" } : undefined;
}

/** A run of production is open in these: a failing run takes the cell down, a last one ends it. */
const executing: ReadonlySet<CellState> = new Set([
  "Starting",
  "Execute",
  "Completing",
  "Holding",
  "Held",
  "Unholding",
  "Suspending",
  "Suspended",
  "Unsuspending",
]);
const producing: ReadonlySet<CellState> = new Set([...executing, "Idle", "Complete"]);
const holdable: ReadonlySet<CellState> = new Set([
  "Starting",
  "Execute",
  "Unholding",
  "Suspending",
  "Suspended",
  "Unsuspending",
]);
/** Nothing is under way and nothing can be: the meaning of a mode may change. */
const settledStates: ReadonlySet<CellState> = new Set(["Stopped", "Idle", "Complete"]);

export function isExecuting(state: CellPhase): boolean {
  return executing.has(state.at);
}

function isAborting(state: CellPhase): boolean {
  return state.at === "Aborting" || state.at === "Aborted";
}

function isAwaitingRuns(state: CellPhase): boolean {
  return state.at === "Aborted" && state.until === "runsEnd";
}

function onBooted(
  state: CellPhase,
  input: { readonly open: number; readonly latched: number },
): CellPhase | undefined {
  if (!isAwaitingRuns(state)) return undefined;
  if (input.open > 0) return state;
  return { at: input.latched > 0 ? "Stopped" : "Idle" };
}

function onStarted(state: CellPhase): CellPhase | undefined {
  if (state.at === "Idle" || state.at === "Complete") return { at: "Starting" };
  return state.at === "Starting" || state.at === "Execute" ? state : undefined;
}

function onCompleted(state: CellPhase, facts: CellFacts): CellPhase | undefined {
  if (!executing.has(state.at) || facts.others > 0) return undefined;
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

/** A mode says which sagas may start; it never starts one, and never changes under a run. */
function onMode(state: CellSituation, mode: CellMode, facts: CellFacts): CellTurn | undefined {
  if (!settledStates.has(state.at) || facts.others > 0 || facts.waiting > 0) return undefined;
  if (mode === state.mode) return undefined;
  return { state: { ...state, mode }, effects: [{ kind: "modeChanged", from: state.mode }] };
}

/** An input for each command that the table decides on; stops are always taken [PROTOCOL 5]. */
function inputOf(command: CellCommand, state: CellSituation): CellInput | undefined {
  switch (command) {
    case "stop":
    case "quickStop":
    case "abort":
      return undefined;
    case "start":
      return { kind: "runStarted" };
    case "suspend":
    case "unsuspend":
      return { kind: command, by: "person" };
    case "mode":
      return { kind: "mode", mode: state.mode === "Manual" ? "Production" : "Manual" };
    case "reset":
    case "clear":
    case "hold":
    case "unhold":
      return { kind: command };
    default:
      return command satisfies never;
  }
}

/** What is valid now. */
export function allowed(state: CellSituation, facts: CellFacts): CellCommand[] {
  return cellCommands.filter((command) => {
    const input = inputOf(command, state);
    return input === undefined || nextCell(state, input, facts) !== undefined;
  });
}

/** PackTags numbers [mqtt-drives-states 4.1]. */
const packTags: { readonly [S in CellState]: number } = {
  Clearing: 1,
  Stopped: 2,
  Starting: 3,
  Idle: 4,
  Suspended: 5,
  Execute: 6,
  Stopping: 7,
  Aborting: 8,
  Aborted: 9,
  Holding: 10,
  Held: 11,
  Unholding: 12,
  Suspending: 13,
  Unsuspending: 14,
  Resetting: 15,
  Completing: 16,
  Complete: 17,
};

export function packTag(state: CellState): number {
  return packTags[state];
}
