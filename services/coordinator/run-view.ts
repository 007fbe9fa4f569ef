/**
 * Runs as others see them: the record of `state/run`.
 *
 * The idea: a projection of the machine's state into the contract, with nothing kept beside it.
 * Pure. It refuses to show more than is known: a run that gives its leases back still runs.
 */
import type { MakeSafe } from "#kernel/config/cell.js";
import type { RunRecord, RunState, RunStep } from "#kernel/contract/payloads.js";
import { isEnded, type Run, type StepRecord, type Unknown } from "./run-state.js";
import { axesOf } from "./run-steps.js";

export function publishedState(run: Run): RunState {
  const { phase } = run;
  switch (phase.at) {
    case "releasing":
      return phase.result === "completed" ? "running" : "makingSafe";
    case "unlatching":
      return "makingSafe";
    case "abandoned":
      return "stopped";
    case "waiting":
      return "pending";
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

/**
 * The devices that no other run may have: all of the saga's but those it goes without, from the
 * first lease to the end.
 */
export function heldDevices(run: Run): readonly string[] {
  return isEnded(run) || run.phase.at === "waiting" ? [] : axesOf(run);
}

function choicesOf(run: Run): RunRecord["choices"] {
  if (run.phase.at === "stopped") return ["makeSafe", "abandon"];
  if (run.phase.at !== "needsOperator") return [];
  return ["retry", "makeSafe", "skip", "resolve", "abandon"];
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
  const { times = 0, attempts = 0 } = record;
  const parent = definition?.parent;
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
    ...(parent === undefined ? {} : { parent }),
    ...(attempts > 1 ? { attempts } : {}),
    ...(times > 1 ? { times } : {}),
  };
}

/** Why it stands still although it goes on: for people. */
function waitsOf(run: Run): string | undefined {
  const { phase } = run;
  if (phase.at === "waiting") return `waits for ${phase.want.join(", ")}`;
  if (phase.at !== "running") return undefined;
  if (run.held !== undefined) return run.held === "hold" ? "held" : "suspended";
  return phase.threads.some(({ wait }) => wait.kind === "ask") ? "waits for an answer" : undefined;
}

function asksOf(run: Run): NonNullable<RunRecord["asks"]> {
  const { phase } = run;
  if (phase.at !== "running") return [];
  return phase.threads.flatMap(({ step, wait }) => {
    const definition = run.saga.steps[step];
    if (wait.kind !== "ask" || definition?.action.kind !== "ask") return [];
    const { text, choices } = definition.action;
    return [{ step: definition.name, text, choices: [...choices] }];
  });
}

/** `describe` says in what state a device is seen now. */
export function recordOf(run: Run, describe: (device: string) => string): RunRecord {
  const { phase } = run;
  const unknowns = "unknowns" in phase && phase.at === "needsOperator" ? phase.unknowns : [];
  const waits = waitsOf(run);
  const asks = asksOf(run);
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
    ...(waits === undefined ? {} : { waits }),
    ...(asks.length === 0 ? {} : { asks }),
    ...(Object.keys(run.inputs).length === 0 ? {} : { inputs: { ...run.inputs } }),
  };
}
