/**
 * One command of an axis, from its receipt to its verdict.
 *
 * The idea: a command that may begin is received and marked as started in one write, and only then
 * touches the device; so after any crash "started" means nobody knows, and what is not there was
 * never sent [PROTOCOL 11]. Its first frame leaves before anybody is told. One command runs at a
 * time, a second one is BUSY. What interrupts it decides the verdict: nothing triggered is refused,
 * anything later is faulted with both positions, or unknown. Pure; it refuses to judge whether a
 * command is allowed (command-checks.ts does).
 */
import type { Detail, Verdict } from "#drivers/reading.js";

/** What the pipeline keeps of a command; the rest stays with the runner. */
export interface PipelineCommand {
  readonly id: string;
  readonly verb: string;
  readonly epoch: number;
  /** Where the axis was to go, for the verdict of a move that was stopped short. */
  readonly target?: number;
}

/** Why a running command ends early. */
export interface Interruption {
  /** Of the refusal, where nothing has been triggered. */
  readonly code: "SUPERSEDED" | "INTERLOCKED" | "LEASE_LOST";
  /** Of the fault, where something may have moved. */
  readonly fault: "STOPPED_SHORT" | "DRIVE_FAULT" | "INTERLOCKED";
  readonly text: string;
  /** It was to end this way: a jog whose button was let go is done where it stands. */
  readonly meant?: true;
}

/** What a row of the inbox says. */
export type InboxRow = "started" | "verdict";

export type PipelineState =
  /** Nothing of ours runs on the device. */
  | { readonly at: "idle" }
  /** On its way to the disk, as started; unknown to anybody else, and no frame has left. */
  | { readonly at: "starting"; readonly command: PipelineCommand }
  /** Frames may leave. `triggered`: one that may move something was handed over. */
  | {
      readonly at: "running";
      readonly command: PipelineCommand;
      readonly triggered: boolean;
      readonly accepted: boolean;
    }
  /** Interrupted after a trigger; the stop is out, its standstill is awaited. */
  | {
      readonly at: "halting";
      readonly command: PipelineCommand;
      readonly why: Interruption;
    }
  /** The verdict is known and on its way to the disk. */
  | { readonly at: "closing"; readonly command: PipelineCommand; readonly verdict: Verdict };

export type PipelineInput =
  /** `refusal`: what the checks say, made before this input. */
  | {
      readonly kind: "command";
      readonly command: PipelineCommand;
      readonly refusal: Verdict | undefined;
    }
  | { readonly kind: "stored"; readonly id: string; readonly row: InboxRow }
  | {
      readonly kind: "storeFailed";
      readonly id: string;
      readonly row: InboxRow;
      readonly verdict: Verdict;
    }
  /** A trigger frame is handed over in this very tick. */
  | { readonly kind: "trigger" }
  | { readonly kind: "deviceAccepted" }
  | { readonly kind: "ended"; readonly verdict: Verdict }
  | ({ readonly kind: "interrupted" } & Interruption)
  /** The stop was confirmed, `position` by a reading sent after it. */
  | { readonly kind: "standstill"; readonly position: number | undefined }
  /** Nobody can say where the axis is: stop unconfirmed or device silent. */
  | { readonly kind: "lost"; readonly text: string };

export type PipelineEffect =
  | { readonly kind: "storeStarted"; readonly command: PipelineCommand }
  | {
      readonly kind: "storeVerdict";
      readonly command: PipelineCommand;
      readonly verdict: Verdict;
    }
  | {
      readonly kind: "answer";
      readonly command: PipelineCommand;
      readonly status: "accepted" | "running";
    }
  | {
      readonly kind: "answerVerdict";
      readonly command: PipelineCommand;
      readonly verdict: Verdict;
    }
  | { readonly kind: "begin"; readonly command: PipelineCommand }
  /** The operation is dropped: its next input is never delivered. */
  | { readonly kind: "drop"; readonly command: PipelineCommand };

export interface PipelineStep {
  readonly state: PipelineState;
  readonly effects: readonly PipelineEffect[];
}

export const pipelineIdle: PipelineState = { at: "idle" };

/** Undefined: the input changes nothing. */
export function nextPipeline(state: PipelineState, input: PipelineInput): PipelineStep | undefined {
  switch (state.at) {
    case "idle":
      return input.kind === "command" ? whenIdle(input) : undefined;
    case "starting":
      return beforeFrames(state, input);
    case "running":
      return whileRunning(state, input);
    case "halting":
      return whileHalting(state, input);
    case "closing":
      return whileClosing(state, input);
    default:
      return state satisfies never;
  }
}

/** Stores a verdict and answers it, in this order; then the axis is free. */
function close(command: PipelineCommand, verdict: Verdict): PipelineStep {
  return {
    state: { at: "closing", command, verdict },
    effects: [{ kind: "storeVerdict", command, verdict }],
  };
}

function whenIdle(input: PipelineInput & { kind: "command" }): PipelineStep {
  const { command, refusal } = input;
  if (refusal !== undefined) return refuseNow(pipelineIdle, command, refusal);
  return {
    state: { at: "starting", command },
    effects: [{ kind: "storeStarted", command }],
  };
}

/** Nothing was sent: the answer need not wait for the disk, and nothing is kept from running. */
function refuseNow(state: PipelineState, command: PipelineCommand, verdict: Verdict): PipelineStep {
  return {
    state,
    effects: [
      { kind: "storeVerdict", command, verdict },
      { kind: "answerVerdict", command, verdict },
    ],
  };
}

/** A second command never waits, never overwrites: refused, as busy if for no other reason. */
function busy(
  state: Exclude<PipelineState, { at: "idle" }>,
  input: PipelineInput & { kind: "command" },
): PipelineStep | undefined {
  const { command, refusal } = input;
  if (command.id === state.command.id) return undefined;
  const { id, verb } = state.command;
  const text = `the axis is executing ${verb} (${id}); wait for its end`;
  return refuseNow(state, command, refusal ?? { verdict: "refused", code: "BUSY", text });
}

function refusedBy(why: Interruption): Verdict {
  const text = `${why.text}; nothing was triggered`;
  return { verdict: "refused", code: why.code, text };
}

function beforeFrames(
  state: PipelineState & { at: "starting" },
  input: PipelineInput,
): PipelineStep | undefined {
  const { command } = state;
  switch (input.kind) {
    case "command":
      return busy(state, input);
    case "stored":
      if (input.id !== command.id || input.row !== "started") return undefined;
      return {
        state: { at: "running", command, triggered: false, accepted: false },
        effects: [
          { kind: "begin", command },
          { kind: "answer", command, status: "accepted" },
        ],
      };
    case "storeFailed":
      if (input.id !== command.id || input.row !== "started") return undefined;
      return { state: pipelineIdle, effects: [answerOf(command, input.verdict)] };
    case "interrupted":
      return close(command, refusedBy(input));
    case "lost": {
      const why = { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: input.text } as const;
      return close(command, refusedBy(why));
    }
    case "trigger":
    case "deviceAccepted":
    case "ended":
    case "standstill":
      return undefined;
    default:
      return input satisfies never;
  }
}

function answerOf(command: PipelineCommand, verdict: Verdict): PipelineEffect {
  return { kind: "answerVerdict", command, verdict };
}

function dropped(step: PipelineStep, command: PipelineCommand): PipelineStep {
  return { state: step.state, effects: [{ kind: "drop", command }, ...step.effects] };
}

function whileRunning(
  state: PipelineState & { at: "running" },
  input: PipelineInput,
): PipelineStep | undefined {
  const { command } = state;
  switch (input.kind) {
    case "command":
      return busy(state, input);
    case "trigger":
      return state.triggered ? undefined : { state: { ...state, triggered: true }, effects: [] };
    case "deviceAccepted":
      if (state.accepted) return undefined;
      return {
        state: { ...state, accepted: true },
        effects: [{ kind: "answer", command, status: "running" }],
      };
    case "ended":
      return close(command, input.verdict);
    case "interrupted": {
      if (!state.triggered) return dropped(close(command, refusedBy(input)), command);
      const { code, fault, text, meant } = input;
      const why = { code, fault, text, ...(meant === true ? { meant } : {}) };
      const halting = { at: "halting", command, why } as const;
      return { state: halting, effects: [{ kind: "drop", command }] };
    }
    case "lost": {
      if (state.triggered) return dropped(close(command, unknownBy(command, input.text)), command);
      const why = { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: input.text } as const;
      return dropped(close(command, refusedBy(why)), command);
    }
    case "stored":
    case "storeFailed":
    case "standstill":
      return undefined;
    default:
      return input satisfies never;
  }
}

function unknownBy(command: PipelineCommand, text: string): Verdict {
  const detail: Detail = command.target === undefined ? {} : { target: command.target };
  return { verdict: "unknown", code: "OUTCOME_UNKNOWN", text, detail };
}

function whileHalting(
  state: PipelineState & { at: "halting" },
  input: PipelineInput,
): PipelineStep | undefined {
  const { command, why } = state;
  switch (input.kind) {
    case "command":
      return busy(state, input);
    case "standstill": {
      if (why.meant === true) {
        const result: Detail = input.position === undefined ? {} : { position: input.position };
        return close(command, { verdict: "done", result });
      }
      const detail: Detail = {
        cause: why.code,
        ...(command.target === undefined ? {} : { target: command.target }),
        ...(input.position === undefined ? {} : { actual: input.position }),
      };
      return close(command, { verdict: "faulted", code: why.fault, text: why.text, detail });
    }
    case "lost":
      return close(command, unknownBy(command, `${why.text}; ${input.text}`));
    case "stored":
    case "storeFailed":
    case "trigger":
    case "deviceAccepted":
    case "ended":
    case "interrupted":
      return undefined;
    default:
      return input satisfies never;
  }
}

function whileClosing(
  state: PipelineState & { at: "closing" },
  input: PipelineInput,
): PipelineStep | undefined {
  switch (input.kind) {
    case "command":
      return busy(state, input);
    // Stored or not: the verdict is told; what the disk lost, a restart calls unknown.
    case "stored":
    case "storeFailed":
      if (input.id !== state.command.id || input.row !== "verdict") return undefined;
      return { state: pipelineIdle, effects: [answerOf(state.command, state.verdict)] };
    case "trigger":
    case "deviceAccepted":
    case "ended":
    case "interrupted":
    case "standstill":
    case "lost":
      return undefined;
    default:
      return input satisfies never;
  }
}
