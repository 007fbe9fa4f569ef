/**
 * Going on after a restart, where a saga says so.
 *
 * The idea: every axis has been stopped and seen still, the commands in doubt have been asked for,
 * and the leases are new; each thread then goes on from what it waited for. Dwells go on from their
 * due time, other limits begin anew. Pure. It refuses to give a command again that may have been
 * obeyed, unless the operation may be repeated.
 */
import type { RunTurn } from "./run-events.js";
import { afterPause, go } from "./run-program.js";
import { goOn, tryAgain, waitAgain } from "./run-retry.js";
import type { Epochs, Now, Run, Thread } from "./run-state.js";
import { Stepper } from "./run-stepper.js";

export function resumeProgram(
  run: Run,
  from: { readonly leases: Epochs; readonly threads: readonly Thread[] },
  now: Now,
): RunTurn {
  const s = new Stepper(run, from, now);
  rebase(s);
  s.tell("resumed", { text: run.cause.text });
  for (const thread of from.threads.toReversed()) goOnWith(s, thread);
  return go(s) ?? { state: run, effects: [] };
}

/** The monotonic clock of another process counts from elsewhere. */
function rebase(s: Stepper): void {
  for (const [step, { status, startedTs }] of s.run.steps.entries()) {
    if (status !== "running") continue;
    const sinceMs = Math.max(0, s.now.ts - (startedTs ?? s.now.ts));
    s.change(step, { startedMs: s.now.ms - sinceMs });
  }
}

function goOnWith(s: Stepper, thread: Thread): void {
  const { id, wait } = thread;
  const definition = s.definition(thread.step);
  const endByMs = s.now.ms + (definition?.timeoutMs ?? 0);
  switch (wait.kind) {
    case "verdict":
      goOnAfterDoubt(s, thread);
      break;
    case "dwell": {
      // In full when the clock is behind the journal [PROTOCOL 19].
      const leftMs = wait.dueTs - s.now.ts;
      const forMs = leftMs > wait.forMs ? wait.forMs : Math.max(0, leftMs);
      const dueTs = s.now.ts + forMs;
      s.wait(id, { ...wait, untilMs: s.now.ms + forMs, dueTs });
      break;
    }
    case "condition":
    case "event":
    case "signal":
    case "ask":
      s.wait(id, { ...wait, endByMs });
      break;
    case "readings": {
      const frame = thread.frames.at(-1);
      const turn = frame?.kind === "repeat" && frame.of === thread.step;
      if (turn) s.do(id, "turn");
      else again(s, thread, thread.attempt);
      break;
    }
    case "backoff":
      waitAgain(s, thread);
      break;
    case "stilling":
    case "lease":
      goOn(s, thread, wait.after);
      break;
    case "parked":
      if (wait.again === true) tryAgain(s, id);
      else s.do(id, "next");
      break;
    case "pause":
      afterPause(s, thread);
      break;
    case "join":
      break;
    default:
      wait satisfies never;
  }
}

/** What the driver said of the command: done, or it may be given again (see mayResume). */
function goOnAfterDoubt(s: Stepper, thread: Thread): void {
  const status = s.run.steps[thread.step]?.status;
  if (status === "done") {
    s.moved(thread.id);
    s.do(thread.id, "next");
    return;
  }
  const attempt = thread.attempt + (status === "refused" ? 0 : 1);
  if (status !== "refused") s.moved(thread.id);
  again(s, s.thread(thread.id) ?? thread, attempt);
}

/** The attempt of this number, now or, of a held run, once it goes on. */
function again(s: Stepper, thread: Thread, attempt: number): void {
  s.put({ ...thread, attempt: attempt - 1 });
  tryAgain(s, thread.id);
}
