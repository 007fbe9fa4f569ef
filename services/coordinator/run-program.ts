/**
 * The way of a thread through the saga: which step is next, which block, when a container ends.
 *
 * The idea: a thread is a stack of frames, one for each block it is inside; the top one says which
 * step is next, and at its end the container's step is done. A turn takes steps until every thread
 * waits; one that takes too many goes on with the next tick. Pure. It refuses to begin a step while
 * the run is held.
 */
import type { Block, SagaDefinition } from "#kernel/config/saga.js";
import { act } from "./run-actions.js";
import type { RunTurn } from "./run-events.js";
import { framesMax, readingsMsMax } from "./run-limits.js";
import { leaveOthers } from "./run-parallel.js";
import { refuse } from "./run-retry.js";
import type { Epochs, Frame, Now, Run, Thread } from "./run-state.js";
import { type Job, Stepper } from "./run-stepper.js";
import {
  ageOf,
  noReadings,
  type Readings,
  readingsOfAction,
  readingsOfWhilst,
  scopeKeyOf,
  scopeOf,
  workOutBoolean,
} from "./run-values.js";

/** Every lease is there: the saga's first thread begins. */
export function beginProgram(run: Run, leases: Epochs, now: Now): RunTurn {
  const s = new Stepper(run, { leases, threads: [] }, now);
  const frame: Frame = { of: -1, kind: "body", block: 0, at: -1, turn: 0 };
  s.put({ id: 0, frames: [frame], step: -1, attempt: 1, wait: { kind: "parked" } });
  s.do(0, "next");
  return go(s) ?? { state: run, effects: [] };
}

/** Does what is to be done, until every thread waits. Undefined: nothing came of the event. */
export function go(s: Stepper): RunTurn | undefined {
  for (;;) {
    const job = s.jobs.shift();
    if (job === undefined || s.failure !== undefined) return s.turn();
    const thread = s.thread(job.id);
    if (thread === undefined) continue;
    if (s.stepsLeft > 0) one(s, thread, job.how);
    else if (job.how === "attempt") attempt(s, thread);
    else s.wait(job.id, { kind: "pause", untilMs: s.now.ms });
  }
}

function one(s: Stepper, thread: Thread, how: Job["how"]): void {
  s.stepsLeft -= 1;
  switch (how) {
    case "next":
      proceed(s, thread);
      break;
    case "attempt":
      attempt(s, thread);
      break;
    case "turn":
      beginTurn(s, thread);
      break;
    default:
      how satisfies never;
  }
}

/** The pause after too many steps is over. */
export function afterPause(s: Stepper, thread: Thread): void {
  const frame = thread.frames.at(-1);
  const between = frame?.kind === "repeat" && frame.at === -1 && frame.of === thread.step;
  s.do(thread.id, between ? "turn" : "next");
}

function stepAt(saga: SagaDefinition, frame: Frame, at: number): number | undefined {
  if (frame.kind === "body") {
    if (saga.body !== undefined) return saga.body[at];
    return at < saga.steps.length ? at : undefined;
  }
  return blockOf(saga, frame)?.[at];
}

function blockOf(saga: SagaDefinition, frame: Frame): Block | undefined {
  const definition = saga.steps[frame.of];
  if (frame.kind === "orElse") return definition?.orElse;
  const action = definition?.action;
  switch (action?.kind) {
    case "parallel":
      return action.branches[frame.block];
    case "choose":
      return action.cases[frame.block]?.block ?? action.otherwise;
    case "repeat":
    case "call":
      return action.block;
    default:
      return undefined;
  }
}

function proceed(s: Stepper, thread: Thread): void {
  const frame = thread.frames.at(-1);
  if (frame === undefined) return;
  const step = stepAt(s.run.saga, frame, frame.at + 1);
  if (step === undefined) {
    endBlock(s, thread, frame);
    return;
  }
  if (s.run.held !== undefined) {
    s.put({ ...thread, step, wait: { kind: "parked" } });
    return;
  }
  const frames = [...thread.frames.slice(0, -1), { ...frame, at: frame.at + 1 }];
  const { moved: _before, ...rest } = thread;
  const next: Thread = { ...rest, frames, step, attempt: 1 };
  s.put(next);
  if (depthOf(s, next) > framesMax) {
    const text = `${s.nameOf(step)}: more than ${framesMax} containers inside each other`;
    s.fail({ code: "LIMIT_EXCEEDED", text });
    return;
  }
  if (!s.enter(step, 1)) return;
  s.began(step);
  attempt(s, next);
}

function depthOf(s: Stepper, thread: Thread): number {
  const parent = thread.parent === undefined ? undefined : s.thread(thread.parent);
  return thread.frames.length + (parent === undefined ? 0 : depthOf(s, parent));
}

/** Begins the thread's step, or first asks for what its expressions read. */
function attempt(s: Stepper, thread: Thread): void {
  const definition = s.definition(thread.step);
  if (definition === undefined) return;
  const what = readingsOfAction(definition.action);
  if (what.length > 0) askReadings(s, thread, what);
  else acted(s, thread, noReadings);
}

function acted(s: Stepper, thread: Thread, readings: Readings): void {
  const refusal = act(s, thread.id, readings);
  if (refusal !== undefined) refuse(s, thread.id, refusal);
}

function askReadings(s: Stepper, thread: Thread, what: ReturnType<typeof readingsOfAction>): void {
  const definition = s.definition(thread.step);
  if (definition === undefined) return;
  const token = s.takeId();
  s.wait(thread.id, { kind: "readings", token, what, endByMs: s.now.ms + readingsMsMax });
  s.emit({ kind: "read", token, what, ageMsMax: ageOf(definition) });
}

/** The readings are there: the step begins, or a repeat's turn does. */
export function onReadings(s: Stepper, thread: Thread, readings: Readings): void {
  const frame = thread.frames.at(-1);
  if (frame?.kind === "repeat" && frame.of === thread.step) decideTurn(s, thread, readings);
  else acted(s, thread, readings);
}

function beginTurn(s: Stepper, thread: Thread): void {
  const frame = thread.frames.at(-1);
  const definition = s.definition(thread.step);
  if (frame === undefined || definition === undefined) return;
  if (frame.turns !== undefined && frame.turn >= frame.turns) {
    endContainer(s, thread, frame);
    return;
  }
  const what = readingsOfWhilst(definition.action);
  if (what.length > 0) askReadings(s, thread, what);
  else decideTurn(s, thread, noReadings);
}

function decideTurn(s: Stepper, thread: Thread, readings: Readings): void {
  const frame = thread.frames.at(-1);
  const action = s.definition(thread.step)?.action;
  if (frame === undefined || action?.kind !== "repeat") return;
  if (action.whilst !== undefined) {
    const scope = scopeOf(s.run, scopeKeyOf(s.threads, thread), readings);
    const goesOn = workOutBoolean(action.whilst, scope);
    if (!goesOn.ok) {
      refuse(s, thread.id, goesOn.cause);
      return;
    }
    if (!goesOn.value) {
      endContainer(s, thread, frame);
      return;
    }
  }
  if (frame.turn >= action.turnsMax) {
    const text = `${s.nameOf(thread.step)}: not at its end after ${action.turnsMax} turns`;
    s.fail({ code: "LIMIT_EXCEEDED", text });
    return;
  }
  s.do(thread.id, "next");
}

function endBlock(s: Stepper, thread: Thread, frame: Frame): void {
  switch (frame.kind) {
    case "repeat": {
      const frames = [...thread.frames.slice(0, -1), { ...frame, at: -1, turn: frame.turn + 1 }];
      s.put({ ...thread, frames, step: frame.of });
      s.do(thread.id, "turn");
      return;
    }
    case "body":
    case "branch":
      endThread(s, thread);
      return;
    case "orElse":
      // The step that it stands in for has ended as refused, and stays so.
      s.put({ ...thread, frames: thread.frames.slice(0, -1), step: frame.of });
      s.do(thread.id, "next");
      return;
    case "case":
    case "call":
      endContainer(s, thread, frame);
      return;
    default:
      frame.kind satisfies never;
  }
}

function endContainer(s: Stepper, thread: Thread, frame: Frame): void {
  s.put({ ...thread, frames: thread.frames.slice(0, -1), step: frame.of });
  s.done(thread.id);
}

/** A branch has ended: the last one ends the parallel step, with `first` the first one does. */
function endThread(s: Stepper, thread: Thread): void {
  s.drop([thread.id]);
  const parent = thread.parent === undefined ? undefined : s.thread(thread.parent);
  if (parent?.wait.kind !== "join") return;
  const left = parent.wait.left.filter((id) => id !== thread.id);
  const action = s.definition(parent.step)?.action;
  if (action?.kind === "parallel" && action.until === "first") leaveOthers(s, parent, left);
  else if (left.length === 0) s.done(parent.id);
  else s.wait(parent.id, { kind: "join", left });
}
