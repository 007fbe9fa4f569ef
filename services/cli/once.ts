/**
 * `--once SAGA`: waits for the cell, clears the way, prepares the axes, runs, reports.
 *
 * The idea: what a person would do at the page, in words on the terminal; whatever is reset or
 * abandoned is said, and on a real cell it is not done without `--reset`. It refuses to start
 * while an axis cannot be read.
 */
import type { CellConfig, SagaDefinition } from "#kernel/config/cell.js";
import type { RunRecord } from "#kernel/contract/payloads.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import type { Api } from "./client.js";
import type { FaultOption } from "./fault-option.js";
import { exitCodeOf, RunReport } from "./run-report.js";
import { pause, watchRun } from "./run-watch.js";

const readyLimitMs = 30_000;
const wayLimitMs = 30_000;
const lookEveryMs = 100;

export interface OnceOptions {
  readonly saga: string;
  readonly faults: readonly FaultOption[];
  /** Allows to reset latches and abandon runs of an earlier time. */
  readonly reset: boolean;
  readonly setFault: (fault: FaultOption) => Promise<void>;
  readonly say: (line: string) => void;
}

/** The saga, where it exists and has the steps that the faults name. @throws NOT_FOUND */
export function sagaFor(config: CellConfig, options: Pick<OnceOptions, "saga" | "faults">) {
  const saga = config.sagas.find((one) => one.name === options.saga);
  if (saga === undefined) {
    const known = config.sagas.map((one) => one.name).join(", ");
    throw new ServocellError("NOT_FOUND", `There is no saga ${options.saga}; there are ${known}.`);
  }
  for (const { step } of options.faults) {
    if (step === undefined || saga.steps.some((one) => one.name === step)) continue;
    const steps = saga.steps.map((one) => one.name).join(", ");
    const text = `${saga.name} has no step ${step}; its steps are ${steps}.`;
    throw new ServocellError("NOT_FOUND", text);
  }
  return saga;
}

/** The exit code: 0 completed, 2 madeSafe, 3 needsOperator, 4 stopped, 1 anything else. */
export async function runOnce(api: Api, config: CellConfig, options: OnceOptions): Promise<number> {
  const saga = sagaFor(config, options);
  await waitReadable(api);
  const mayReset = options.reset || config.simulation === true;
  await clearTheWay(api, { mayReset, say: options.say });
  const before = await prepared(api, config, saga, options.say);
  if (before !== undefined && before.state !== "completed") return exitCodeOf(before);
  await clearTheWay(api, { mayReset, say: options.say });
  const run = await runAndReport(api, saga.name, options);
  return exitCodeOf(run);
}

async function waitReadable(api: Api): Promise<void> {
  const endMs = performance.now() + readyLimitMs;
  for (;;) {
    const missing = await unreadable(api).catch((thrown: unknown) => textOf(thrown));
    if (missing === undefined) return;
    if (performance.now() > endMs) {
      throw new ServocellError("NOT_READY", `The cell is not ready: ${missing}`);
    }
    await pause(lookEveryMs);
  }
}

async function unreadable(api: Api): Promise<string | undefined> {
  const cell = await api.cell();
  if (cell.state === "unknown") return `the coordinator has not spoken: ${cell.reason.text}.`;
  const axis = (await api.axes()).find((one) => one.q !== "good");
  if (axis === undefined) return undefined;
  const why = axis.staleBecause ?? Object.values(axis.reasons)[0] ?? "nothing was read yet";
  return `the axis ${axis.axis} cannot be read: ${why}.`;
}

/** Until the cell allows a start; nothing is reset in silence. */
export async function clearTheWay(
  api: Api,
  how: { readonly mayReset: boolean; readonly say: (line: string) => void },
): Promise<void> {
  const endMs = performance.now() + wayLimitMs;
  for (;;) {
    const cell = await api.cell();
    const waiting = (await api.runs()).filter((run) => run.choices.length > 0);
    const { latched } = await api.stops();
    if (cell.allowed.includes("start") && latched.length === 0 && waiting.length === 0) return;
    const held = [
      ...waiting.map((run) => `run ${run.run} of ${run.saga} is ${run.state}`),
      ...latched.map((stop) => `a ${stop.kind} by ${stop.by.user} is latched (${stop.id})`),
    ];
    if (held.length > 0 && !how.mayReset) {
      const text = `${held.join("; ")}. Decide on it, or allow it with --reset.`;
      throw new ServocellError("LATCHED", text.charAt(0).toUpperCase() + text.slice(1));
    }
    if (performance.now() > endMs) {
      const text = `The cell is ${cell.state} and does not allow a start: ${cell.reason.text}`;
      throw new ServocellError("STATE_CONFLICT", text);
    }
    await oneStep(api, how.say, { allowed: cell.allowed, state: cell.state, waiting, latched });
    await pause(lookEveryMs);
  }
}

async function oneStep(
  api: Api,
  say: (line: string) => void,
  now: {
    readonly allowed: readonly string[];
    readonly state: string;
    readonly waiting: readonly RunRecord[];
    readonly latched: readonly { readonly id: string; readonly kind: string }[];
  },
): Promise<void> {
  const [run] = now.waiting;
  if (run !== undefined) {
    say(`  abandoned: run ${run.run} of ${run.saga}, which was ${run.state}: ${run.cause.text}`);
    await api.actOnRun(run.run, "abandon");
  } else if (now.allowed.includes("clear")) {
    say("  cleared: the cell was Aborted");
    await api.clear();
  } else if (now.allowed.includes("reset") && (now.latched.length > 0 || now.state === "Stopped")) {
    for (const stop of now.latched) say(`  reset: ${stop.kind} ${stop.id} was latched`);
    if (now.latched.length === 0) say("  reset: the cell was Stopped");
    await api.reset(now.latched.map((stop) => stop.id));
  }
}

/** Runs the saga's preparation where an axis it uses is not homed or not enabled. */
async function prepared(
  api: Api,
  config: CellConfig,
  saga: SagaDefinition,
  say: (line: string) => void,
): Promise<RunRecord | undefined> {
  const { prepare } = saga;
  if (prepare === undefined) return undefined;
  const axes = (await api.axes()).filter((axis) => saga.uses.includes(axis.axis));
  const needs = axes.flatMap((axis) => {
    const kind = config.devices.find((device) => device.id === axis.axis)?.profile.kind;
    if (axis.enabled !== true) return [`${axis.axis} is not enabled`];
    return kind === "servo" && axis.homed !== true ? [`${axis.axis} is not homed`] : [];
  });
  if (needs.length === 0) return undefined;
  say(`  first ${prepare}: ${needs.join(", ")}`);
  return runAndReport(api, prepare, { faults: [], setFault: async () => {}, say });
}

/** Starts a saga and reports every step as it ends. */
export async function runAndReport(
  api: Api,
  saga: string,
  how: Pick<OnceOptions, "faults" | "setFault" | "say">,
): Promise<RunRecord> {
  const id = await api.startRun({ saga });
  return followRun(api, id, how);
}

export async function followRun(
  api: Api,
  id: string,
  how: Pick<OnceOptions, "faults" | "setFault" | "say">,
): Promise<RunRecord> {
  const report = new RunReport();
  const due = new Set(how.faults.filter((fault) => fault.step !== undefined));
  return watchRun(api, id, {
    onStepStarted: (step) => {
      for (const fault of [...due].filter((one) => one.step === step)) {
        due.delete(fault);
        how.setFault(fault).then(
          () => how.say(`! fault: ${fault.device}=${fault.fault} since the start of ${step}`),
          (thrown: unknown) => how.say(`! no fault: ${textOf(thrown)}`),
        );
      }
    },
    onRecord: (run) => {
      for (const line of report.take(run)) how.say(line);
    },
  });
}
