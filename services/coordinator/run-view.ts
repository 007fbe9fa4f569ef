/**
 * Runs as others see them: the record of `state/run`.
 *
 * The idea: a projection of the machine's state into the contract, with nothing kept beside it.
 * Pure. It refuses to show more than is known: a run that gives its leases back still runs.
 */
import type { MakeSafe } from "#kernel/config/cell.js";
import type { RunRecord, RunState, RunStep } from "#kernel/contract/payloads.js";
import { isEnded, type Run, type StepRecord, type Unknown } from "./run-state.js";

export function publishedState(run: Run): RunState {
  const { phase } = run;
  switch (phase.at) {
    case "releasing":
      return phase.result === "completed" ? "running" : "makingSafe";
    case "unlatching":
      return "makingSafe";
    case "abandoned":
      return "stopped";
    case "pending":
    case "running":
    case "stopping":
    case "makingSafe":
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
      return phase.at;
    default:
      return phase satisfies never;
  }
}

/** The devices that no other run may have: all of the saga's, from the first lease to the end. */
export function heldDevices(run: Run): readonly string[] {
  return isEnded(run) ? [] : run.saga.uses;
}

function choicesOf(run: Run): RunRecord["choices"] {
  if (run.phase.at === "stopped") return ["makeSafe", "abandon"];
  return run.phase.at === "needsOperator" ? ["retry", "makeSafe", "abandon"] : [];
}

function safeTextOf(makeSafe: MakeSafe): string | undefined {
  switch (makeSafe.kind) {
    case "none":
      return undefined;
    case "still":
      return "stands still";
    case "operations":
      return makeSafe.operations
        .map(({ device, verb, args }) => {
          const values = Object.entries(args).map(([name, value]) => `${name} ${value}`);
          return [device, verb, ...values].join(" ");
        })
        .join(", then ");
    default:
      return makeSafe satisfies never;
  }
}

function stepOf(run: Run, record: StepRecord, index: number): RunStep {
  const definition = run.saga.steps[index];
  const safeText = definition === undefined ? undefined : safeTextOf(definition.makeSafe);
  const { status, startedTs, durationMs, error, safe, safeError } = record;
  return {
    name: definition?.name ?? "",
    text: definition?.text ?? "",
    status,
    ...(startedTs === undefined ? {} : { startedAt: startedTs }),
    ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }),
    ...(error === undefined ? {} : { error: { ...error } }),
    safe,
    ...(safeText === undefined ? {} : { safeText }),
    ...(safeError === undefined ? {} : { safeError: { ...safeError } }),
  };
}

/** `describe` says in what state a device is seen now. */
export function recordOf(run: Run, describe: (device: string) => string): RunRecord {
  const { phase } = run;
  const unknowns = "unknowns" in phase && phase.at === "needsOperator" ? phase.unknowns : [];
  const said = ({ device, text }: Unknown) => ({ device, text: `${text}; ${describe(device)}` });
  return {
    run: run.run,
    saga: run.saga.name,
    version: run.saga.version,
    state: publishedState(run),
    cause: { ...run.cause },
    by: { ...run.by },
    startedAt: run.startedTs,
    ...("endedTs" in phase ? { endedAt: phase.endedTs } : {}),
    steps: run.steps.map((step, index) => stepOf(run, step, index)),
    unknowns: unknowns.map(said),
    choices: choicesOf(run),
  };
}
