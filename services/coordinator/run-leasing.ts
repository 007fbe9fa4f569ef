/**
 * The start of a run: the leases of all its devices, or of none.
 *
 * The idea: leases are asked for one by one in sorted order, and whatever was granted goes back
 * when one is refused. Pure. It refuses to begin a step without every lease.
 */
import type { Ms } from "#drivers/reading.js";
import type { NewRun, RunTurn } from "./run-events.js";
import { leaseAgainMs, leasingMsMax, spareTriesMax } from "./run-limits.js";
import { beginProgram } from "./run-program.js";
import { resumeProgram } from "./run-resume.js";
import type { Cause, Now, Phase, Run } from "./run-state.js";
import { askLease, axesOf, enterReleasing, wantsOf } from "./run-steps.js";
import { enterStopping } from "./run-stopping.js";

type At<K extends Phase["at"]> = Extract<Phase, { at: K }>;

/** A new run asks for the lease of its first device, or waits for its devices; nothing moves. */
export function begin(input: NewRun, nowMs: Ms): RunTurn {
  const { run, key, saga, by, ts, inputs = {}, waits = false } = input;
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
    entered: 0,
    inputs,
    values: {},
    phase: { at: "waiting", want: saga.uses },
  };
  const started = { kind: "event", type: "started", data: { saga: saga.name } } as const;
  if (waits) return { state: bare, effects: [started] };
  const turn = onLocked(bare, { ms: nowMs, ts });
  return { state: turn.state, effects: [started, ...turn.effects] };
}

/** The devices are this run's: their leases are asked for. */
export function onLocked(run: Run, now: Now): RunTurn {
  const want = wantsOf(run);
  if (want.length === 0) return beginProgram(run, {}, now);
  return askLease(run, { want, leases: {}, endByMs: now.ms + leasingMsMax });
}

/** The newest lease of the start was granted. */
export function onStartLeased(
  run: Run,
  phase: At<"pending">,
  grant: { readonly device: string; readonly epoch: number },
  now: Now,
): RunTurn {
  const leases = { ...phase.leases, [grant.device]: grant.epoch };
  return askNext(run, { ...phase, leases }, grant.device, now);
}

function askNext(run: Run, phase: At<"pending">, device: string, now: Now): RunTurn {
  const { leases, endByMs, threads } = phase;
  const want = phase.want.filter((other) => other !== device);
  if (want.length === 0) return startWith(run, phase, now);
  return askLease(run, { want, leases, endByMs, ...(threads === undefined ? {} : { threads }) });
}

function startWith(run: Run, { leases, threads }: At<"pending">, now: Now): RunTurn {
  if (threads === undefined) return beginProgram(run, leases, now);
  return resumeProgram(run, { leases, threads }, now);
}

export function onStartRefused(
  run: Run,
  phase: At<"pending">,
  no: Cause & { readonly device: string },
  now: Now,
): RunTurn {
  const { device, code, text } = no;
  const tries = (phase.tries ?? 0) + 1;
  const spare = mayGoWithout(run, device);
  // It is reading its device or settling a stop: it says so itself, and is asked again.
  if (code === "NOT_READY" && now.ms < phase.endByMs && !(spare && tries >= spareTriesMax)) {
    const againAtMs = now.ms + leaseAgainMs;
    return { state: { ...run, phase: { ...phase, againAtMs, tries } }, effects: [] };
  }
  const cause = { code, text: `no lease of ${device}: ${text}` };
  if (!spare) return giveUpLeasing(run, phase, cause, now);
  const missing = [...(run.missing ?? []), { device, ...cause }];
  const told = { kind: "event", type: "missing", data: { device, ...cause } } as const;
  const turn = askNext({ ...run, missing }, phase, device, now);
  return { state: turn.state, effects: [told, ...turn.effects] };
}

/**
 * The run can do without the lease that it asks for: its saga has plans for that, and nothing of
 * the device is left to be made safe, as there may be where it goes on after a restart.
 */
export function mayGoWithout({ saga, phase, steps }: Run, device: string): boolean {
  if (phase.at !== "pending" || saga.spare?.includes(device) !== true) return false;
  return !steps.some(({ safe }, i) => {
    const { action, makeSafe } = saga.steps[i] ?? {};
    const own = action?.kind === "operation" ? [action.operation] : [];
    const back = makeSafe?.kind === "operations" ? makeSafe.operations : [];
    return safe !== "none" && [...own, ...back].some((one) => one.device === device);
  });
}

export function onLeasingTick(run: Run, phase: At<"pending">, now: Now): RunTurn | undefined {
  const { againAtMs, ...rest } = phase;
  const [device] = phase.want;
  if (device === undefined) return startWith(run, phase, now);
  if (now.ms < phase.endByMs) {
    if (againAtMs === undefined || now.ms < againAtMs) return undefined;
    return askLease(run, rest);
  }
  const cause = { code: "NOT_READY", text: `no lease of ${device} in time` };
  return giveUpLeasing(run, phase, cause, now);
}

/**
 * All or none: what was granted goes back. Of a new run no intent exists, so nothing has to be
 * made safe; one that was to go on after a restart is made safe.
 */
export function giveUpLeasing(
  run: Run,
  phase: At<"pending" | "waiting">,
  cause: Cause,
  now: Now,
): RunTurn {
  if (phase.at === "pending" && phase.threads !== undefined) {
    return enterStopping(run, { next: "makeSafe", cause }, now.ms);
  }
  if (phase.at === "waiting") return endWaiting(run, cause, now);
  const { leases } = phase;
  return enterReleasing(
    { ...run, cause },
    { result: "madeSafe", unknowns: [], leases, nowMs: now.ms },
  );
}

/** It has nothing to give back: its devices are those of other runs, and stay theirs. */
export function endWaiting(run: Run, cause: Cause, now: Now): RunTurn {
  return { state: { ...run, cause, phase: { at: "madeSafe", endedTs: now.ts } }, effects: [] };
}

/** True for a device that this run counts on. */
export function countsOn(run: Run, device: string): boolean {
  return axesOf(run).includes(device);
}
