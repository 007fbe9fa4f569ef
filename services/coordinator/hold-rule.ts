/**
 * Whether a person may move an axis by holding a button now.
 *
 * The idea: one pure function over what the coordinator knows, first reason first: the mode, the
 * journal, latched stops, the cell, runs and other holds, and the interlocks that it is to leave
 * out of account [PROTOCOL 8, 16]. Whether the drive can be jogged at all is its driver's business.
 * It refuses everything in Production.
 */
import type { InterlockConfig } from "#kernel/config/cell.js";
import type { CellMode } from "#kernel/config/saga.js";
import type { CellState } from "#kernel/contract/payloads.js";
import type { ErrorCode } from "#kernel/errors.js";

export interface HoldAsk {
  readonly device: string;
  /** Interlocks by name, in Maintenance only. */
  readonly bypass: readonly string[];
  /** Why, for the record; asked for with a bypass. */
  readonly text: string | undefined;
}

export interface HoldFacts {
  readonly mode: CellMode;
  readonly state: CellState;
  readonly latched: readonly string[];
  /** Why nothing can be written at present; undefined: it can. */
  readonly trouble: ErrorCode | undefined;
  readonly excluded: boolean;
  /** Open runs with the devices that they use. */
  readonly runs: readonly { readonly run: string; readonly uses: readonly string[] }[];
  /** Axes that somebody holds already, or is being lent. */
  readonly held: readonly string[];
  readonly interlocks: readonly Pick<InterlockConfig, "name" | "moves" | "evaluator">[];
}

export interface HoldRefusal {
  readonly code: ErrorCode;
  readonly text: string;
}

/** In these something is on its way or unsettled; a person waits for its end. */
const unsettled: ReadonlySet<CellState> = new Set([
  "Clearing",
  "Stopping",
  "Aborting",
  "Aborted",
  "Resetting",
]);

/** Undefined: it may. */
export function holdRefusal(ask: HoldAsk, facts: HoldFacts): HoldRefusal | undefined {
  const { device } = ask;
  const { mode, state, latched, held, runs } = facts;
  if (mode === "Production") {
    const text = `Axes are jogged in Manual or Maintenance; the cell is in ${mode}.`;
    return { code: "STATE_CONFLICT", text };
  }
  if (facts.trouble !== undefined) {
    const code = facts.trouble === "STORE_FULL" ? "STORE_FULL" : "STORE_FAILED";
    return { code, text: "The journal cannot be written, and every press is kept with its name." };
  }
  if (latched.length > 0) {
    return { code: "LATCHED", text: `A stop is latched (${latched.join(", ")}); reset it first.` };
  }
  if (unsettled.has(state)) {
    return { code: "STATE_CONFLICT", text: `The cell is ${state}; nothing is jogged now.` };
  }
  if (facts.excluded) return { code: "EXCLUDED", text: `${device} is out of use.` };
  const run = runs.find(({ uses }) => uses.includes(device));
  if (run !== undefined) {
    const text = `The run ${run.run} is open and uses ${device}; end it first.`;
    return { code: "STATE_CONFLICT", text };
  }
  if (held.includes(device)) {
    return { code: "LEASE_HELD", text: `Somebody holds ${device} already.` };
  }
  return sharing(device, facts) ?? bypassing(ask, facts);
}

/** Moves that share an interlock go one at a time, jog included [PROTOCOL 8]. */
function sharing(device: string, { interlocks, runs, held }: HoldFacts): HoldRefusal | undefined {
  for (const one of interlocks) {
    const bound = [...one.moves, one.evaluator];
    if (!bound.includes(device)) continue;
    const other = held.find((id) => bound.includes(id));
    const run = runs.find(({ uses }) => uses.some((id) => bound.includes(id)));
    if (other === undefined && run === undefined) continue;
    const who = other === undefined ? `the run ${run?.run}` : `who holds ${other}`;
    const text = `${device} shares the interlock ${one.name} with ${who}; one at a time.`;
    return { code: "INTERLOCKED", text };
  }
  return undefined;
}

function bypassing(ask: HoldAsk, { mode, interlocks }: HoldFacts): HoldRefusal | undefined {
  const { bypass, device, text: reason } = ask;
  if (bypass.length === 0) return undefined;
  if (mode !== "Maintenance") {
    const text = `An interlock is left out of account in Maintenance only; this is ${mode}.`;
    return { code: "INTERLOCKED", text };
  }
  const own = interlocks.filter(({ moves }) => moves.includes(device)).map(({ name }) => name);
  const strange = bypass.find((name) => !own.includes(name));
  if (strange !== undefined) {
    const known = own.length === 0 ? "it has none" : `it has ${own.join(", ")}`;
    return { code: "NOT_FOUND", text: `${device} has no interlock ${strange}; ${known}.` };
  }
  if (reason !== undefined) return undefined;
  const text = "To leave an interlock out of account, say why; it is kept with the name.";
  return { code: "VALIDATION_FAILED", text };
}
