/**
 * The start of a run: the leases of all its devices, or of none.
 *
 * The idea: leases are asked for one by one in sorted order, and whatever was granted goes back
 * when one is refused. Pure. It refuses to begin a step without every lease.
 */
import type { Ms } from "#drivers/reading.js";
import {
  type Cause,
  leasingMsMax,
  type NewRun,
  type Phase,
  type Run,
  type RunTurn,
} from "./run-state.js";
import { enterReleasing, enterStep, takeId } from "./run-steps.js";
import type { Now } from "./run-stopping.js";

type At<K extends Phase["at"]> = Extract<Phase, { at: K }>;

/** A new run asks for the lease of its first device; nothing has moved. */
export function begin(input: NewRun, nowMs: Ms): RunTurn {
  const { run, key, saga, by, ts } = input;
  const first = saga.uses[0];
  const bare: Run = {
    run,
    key,
    saga,
    by,
    startedTs: ts,
    cause: { code: "STARTED", text: `started by ${by.user}` },
    steps: saga.steps.map(() => ({ status: "pending", safe: "none" })),
    stops: [],
    serial: 1,
    phase: { at: "pending", want: saga.uses, request: "", leases: {}, endByMs: 0 },
  };
  const started = { kind: "event", type: "started", data: { saga: saga.name } } as const;
  if (first === undefined) {
    const turn = enterStep(bare, 0, {}, { ms: nowMs, ts });
    return { state: turn.state, effects: [started, ...turn.effects] };
  }
  const asked = askLease(bare, { want: saga.uses, leases: {}, endByMs: nowMs + leasingMsMax });
  return { state: asked.state, effects: [started, ...asked.effects] };
}

export function askLease(
  run: Run,
  rest: Pick<At<"pending">, "want" | "leases" | "endByMs">,
): RunTurn {
  const { run: next, id } = takeId(run);
  const device = rest.want[0] ?? "";
  return {
    state: { ...next, phase: { at: "pending", ...rest, request: id } },
    effects: [{ kind: "lease", id, device }],
  };
}

/** All or none: what was granted goes back; no intent exists, so nothing has to be made safe. */
export function giveUpLeasing(run: Run, phase: At<"pending">, cause: Cause, now: Now): RunTurn {
  const { leases } = phase;
  return enterReleasing(
    { ...run, cause },
    { result: "madeSafe", unknowns: [], leases, nowMs: now.ms },
  );
}
