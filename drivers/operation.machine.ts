/**
 * The interpreter: one run of an operation or a stop, one input at a time.
 *
 * The idea: acceptance stands apart from done, and only a reading that was handed over after the
 * last write counts, so yesterday's "in position" proves nothing. A trigger goes out once; when its
 * reply is lost the run goes on only to see what came of it. It refuses to wait without a bound,
 * and to call done what no fresh reading shows.
 */
import { operandValue } from "./condition.js";
import type { DriveState, OperationEffect, OperationInput } from "./device-model.js";
import type { Advance } from "./operation-end.js";
import { done, failed, moveDetail, timedOut, unknown } from "./operation-end.js";
import type { Instruction, Program, Reader, Run, Watch } from "./program.js";
import type { Ms } from "./reading.js";

/** Pause between two reads of a wait. */
export const pollMs = 20;
/** Bound of the readings that decide a branch, a capture or a read-back. */
export const lookTimeoutMs = 1000;
/** A level write whose reply was lost is sent again this often. */
const repeatsMax = 1;
/** Jumps between two effects; a program has no loops, so this is never reached. */
const jumpsMax = 100;

type Input<K extends OperationInput["kind"]> = Extract<OperationInput, { kind: K }>;

/** Undefined: the input means nothing in this phase. */
export function nextOperation(
  program: Program,
  run: Run,
  input: OperationInput,
): Advance | undefined {
  switch (run.phase.at) {
    case "ready":
      return input.kind === "tick" ? enter(program, run, input.nowMs) : undefined;
    case "writing":
      return input.kind === "wrote" ? onWrote(program, run, input) : undefined;
    case "reading":
      if (input.kind === "read") return onRead(program, run, input);
      return input.kind === "readFailed" ? onReadFailed(program, run, input) : undefined;
    case "waiting":
      return input.kind === "tick" ? onWake(program, run, input.nowMs) : undefined;
    case "faulting":
      if (input.kind === "read") return onFaultRead(program, run, input);
      return input.kind === "readFailed" ? driveFault(program, run, undefined) : undefined;
    case "ended":
      return undefined;
    default:
      return run.phase satisfies never;
  }
}

/** Begins the instruction at `pc`; effects that came before are handed on. */
function enter(
  program: Program,
  run: Run,
  nowMs: Ms,
  before: readonly OperationEffect[] = [],
): Advance {
  let pc = run.pc;
  let instruction = program.instructions[pc];
  for (let jumps = 0; instruction?.op === "jump" && jumps < jumpsMax; jumps++) {
    pc = instruction.to;
    instruction = program.instructions[pc];
  }
  const here: Run = { ...run, pc, watch: null };
  if (instruction === undefined) return done(program, here, before);
  if (nowMs >= run.deadlineMs) return timedOut(program, here);
  switch (instruction.op) {
    case "jump":
      throw new TypeError(`${program.device}: ${program.verb} jumps in circles`);
    case "hold": {
      const untilMs = nowMs + instruction.forMs;
      const phase = { at: "waiting", untilMs } as const;
      return { run: { ...here, phase }, effects: [...before, { kind: "wake", atMs: untilMs }] };
    }
    case "write":
      return write(program, here, { attempt: 0, before });
    case "wait":
    case "reach":
    case "readBack":
    case "capture":
    case "branch":
    case "endIf":
      return look({ ...here, watch: watchFor(instruction, here, nowMs) }, instruction, before);
    default:
      return instruction satisfies never;
  }
}

function goOn(program: Program, run: Run, nowMs: Ms, before: readonly OperationEffect[] = []) {
  return enter(program, { ...run, pc: run.pc + 1 }, nowMs, before);
}

function watchFor(instruction: Reader, run: Run, nowMs: Ms): Watch {
  const timed = instruction.op === "wait" || instruction.op === "reach";
  const factor = instruction.op === "wait" ? instruction.travelFactor : 0;
  const forMs = timed ? instruction.timeoutMs + factor * run.travelMs : lookTimeoutMs;
  const fails = instruction.op === "wait" ? instruction.fail : [];
  return {
    deadlineMs: Math.min(nowMs + forMs, run.deadlineMs),
    met: 0,
    failSinceMs: fails.map(() => null),
    writtenFor: null,
    last: "none",
  };
}

function look(run: Run, instruction: Reader, before: readonly OperationEffect[] = []): Advance {
  const effect = { kind: "read", requests: instruction.requests } as const;
  return { run: { ...run, phase: { at: "reading" } }, effects: [...before, effect] };
}

function write(
  program: Program,
  run: Run,
  { attempt, before = [] }: { attempt: number; before?: readonly OperationEffect[] },
): Advance {
  const instruction = program.instructions[run.pc];
  if (instruction?.op !== "write") throw new TypeError("not at a write");
  const frame = instruction.frame(run);
  if (!frame.ok) return failed(program, run, { code: "LIMIT_EXCEEDED", text: frame.why });
  const { role } = instruction;
  const phase = { at: "writing", role, attempt, forState: null } as const;
  const effect = { kind: "write", pdu: frame.value, role } as const;
  return { run: { ...run, phase }, effects: [...before, effect] };
}

function writeToReach(program: Program, run: Run, state: DriveState, attempt: number): Advance {
  const instruction = program.instructions[run.pc];
  const pdu = instruction?.op === "reach" ? instruction.by[state] : undefined;
  if (pdu === undefined) throw new TypeError(`no way on from ${state}`);
  const phase = { at: "writing", role: "level", attempt, forState: state } as const;
  return { run: { ...run, phase }, effects: [{ kind: "write", pdu, role: "level" }] };
}

function onWrote(program: Program, run: Run, input: Input<"wrote">): Advance {
  if (run.phase.at !== "writing") throw new TypeError("no write is out");
  const { nowMs, outcome } = input;
  const trigger = run.phase.role === "trigger";
  const out: Run = { ...run, sent: true, moved: run.moved || trigger, wroteAtMs: nowMs };
  switch (outcome) {
    case "acked":
      return acked(program, out, nowMs);
    case "exception": {
      const exception = input.exception ?? 0;
      const meaning = program.exceptions?.[exception];
      const means = meaning === undefined ? "" : ` (${meaning})`;
      const text = `the device refused a write with Modbus exception ${exception}${means}`;
      // The first frame of all was refused: nothing has happened.
      const refused = trigger || run.sent ? out : run;
      return failed(program, refused, { code: "DEVICE_EXCEPTION", text, detail: { exception } });
    }
    case "notSent":
      // Never on the wire: also what must not arrive twice has not arrived once.
      if (run.moved && !trigger && run.phase.attempt < repeatsMax) return again(program, run);
      return notSent(program, run);
    case "unknown":
      if (trigger) return goOn(program, { ...out, unsettled: true }, nowMs);
      if (run.phase.attempt < repeatsMax && repeats(program, run)) return again(program, out);
      if (run.moved) return unknown(program, out, "the replies to its writes were lost");
      return failed(program, out, {
        code: "DEVICE_UNREACHABLE",
        text: "the replies to its writes were lost; nothing that moves it was sent",
      });
    default:
      return outcome satisfies never;
  }
}

/** A level says what shall be; an opcode or a toggle does something each time. */
function repeats(program: Program, run: Run): boolean {
  const instruction = program.instructions[run.pc];
  return instruction?.op !== "write" || instruction.once !== true;
}

function acked(program: Program, run: Run, nowMs: Ms): Advance {
  const instruction = program.instructions[run.pc];
  const forState = run.phase.at === "writing" ? run.phase.forState : null;
  if (instruction?.op !== "reach" || run.watch === null) return goOn(program, run, nowMs);
  return look({ ...run, watch: { ...run.watch, writtenFor: forState } }, instruction);
}

/** The same level frame once more: it says what shall be, so twice is as good as once. */
function again(program: Program, run: Run): Advance {
  if (run.phase.at !== "writing") throw new TypeError("no write is out");
  const attempt = run.phase.attempt + 1;
  if (run.phase.forState !== null) return writeToReach(program, run, run.phase.forState, attempt);
  return write(program, run, { attempt });
}

/** Before any trigger nothing can have moved, so it may be asked again. */
function notSent(program: Program, run: Run): Advance {
  const text = "the device could not be reached; the request was not sent";
  if (run.moved) return failed(program, run, { code: "DEVICE_UNREACHABLE", text });
  return failed(program, { ...run, sent: false }, { code: "DEVICE_UNREACHABLE", text });
}

function onWake(program: Program, run: Run, nowMs: Ms): Advance {
  if (run.phase.at !== "waiting") throw new TypeError("nothing is awaited");
  const { untilMs } = run.phase;
  if (nowMs < untilMs) return { run, effects: [{ kind: "wake", atMs: untilMs }] };
  const instruction = program.instructions[run.pc];
  if (instruction === undefined || run.watch === null || !reads(instruction)) {
    return goOn(program, run, nowMs);
  }
  if (nowMs >= run.watch.deadlineMs) return timedOut(program, run);
  return look(run, instruction);
}

function reads(instruction: Instruction): instruction is Reader {
  return instruction.op !== "write" && instruction.op !== "hold" && instruction.op !== "jump";
}

/** Nothing decided yet: read again after a pause, or give up at the deadline. */
function poll(program: Program, run: Run, nowMs: Ms): Advance {
  const deadlineMs = run.watch?.deadlineMs ?? nowMs;
  if (nowMs >= deadlineMs) return timedOut(program, run);
  const untilMs = Math.min(nowMs + pollMs, deadlineMs);
  const phase = { at: "waiting", untilMs } as const;
  return { run: { ...run, phase }, effects: [{ kind: "wake", atMs: untilMs }] };
}

function onReadFailed(program: Program, run: Run, input: Input<"readFailed">): Advance {
  const watch = run.watch === null ? null : { ...run.watch, met: 0, last: input.reason };
  return poll(program, { ...run, watch }, input.nowMs);
}

function onRead(program: Program, run: Run, input: Input<"read">): Advance {
  const { nowMs, sentAtMs, values } = input;
  const instruction = program.instructions[run.pc];
  if (run.watch === null || instruction === undefined || !reads(instruction)) {
    throw new TypeError("no read is out");
  }
  // MO-01: what was asked before the write was acknowledged says nothing about it.
  if (run.wroteAtMs !== null && sentAtMs <= run.wroteAtMs) return poll(program, run, nowMs);
  const fresh: Run = {
    ...run,
    watch: { ...run.watch, last: "fresh" },
    values: { ...run.values, ...Object.fromEntries(values) },
  };
  const seen = (point: string) => values.get(point);
  if (!program.toleratesFault && program.fault?.ask(seen, run) === true) {
    return fault(program, fresh, seen);
  }
  return decide(program, fresh, { instruction, seen, nowMs });
}

interface Seen {
  readonly instruction: Reader;
  readonly seen: (point: string) => number | undefined;
  readonly nowMs: Ms;
}

function decide(program: Program, run: Run, { instruction, seen, nowMs }: Seen): Advance {
  switch (instruction.op) {
    case "wait":
      return decideWait(program, run, { instruction, seen, nowMs });
    case "reach": {
      const state = instruction.state(seen);
      if (state === instruction.goal) return goOn(program, run, nowMs);
      const known = state !== undefined && instruction.by[state] !== undefined;
      if (!known || run.watch?.writtenFor === state) return poll(program, run, nowMs);
      return writeToReach(program, run, state, 0);
    }
    case "readBack": {
      const read = seen(instruction.point);
      const wrote = operandValue(instruction.operand, run);
      if (read === undefined || wrote === undefined) return poll(program, run, nowMs);
      const same = instruction.raw(read) === instruction.raw(wrote);
      return same ? goOn(program, run, nowMs) : poll(program, run, nowMs);
    }
    case "capture": {
      const captures = { ...run.captures };
      for (const [name, point] of instruction.entries) {
        const value = seen(point);
        if (value === undefined) return poll(program, run, nowMs);
        captures[name] = value;
      }
      return goOn(program, { ...run, captures }, nowMs);
    }
    case "branch": {
      const answer = instruction.when.ask(seen, run);
      if (answer === undefined) return poll(program, run, nowMs);
      if (answer) return goOn(program, run, nowMs);
      return enter(program, { ...run, pc: instruction.otherwiseTo }, nowMs);
    }
    case "endIf": {
      const answer = instruction.when.ask(seen, run);
      if (answer === undefined) return poll(program, run, nowMs);
      return answer ? done(program, run, []) : goOn(program, run, nowMs);
    }
    default:
      return instruction satisfies never;
  }
}

function decideWait(
  program: Program,
  run: Run,
  { instruction, seen, nowMs }: Seen & { instruction: Extract<Reader, { op: "wait" }> },
): Advance {
  const watch = run.watch;
  if (watch === null) throw new TypeError("no wait is open");
  const failSinceMs = instruction.fail.map((rule, i) => {
    return rule.when.ask(seen, run) === true ? (watch.failSinceMs[i] ?? nowMs) : null;
  });
  for (const [i, rule] of instruction.fail.entries()) {
    const sinceMs = failSinceMs[i] ?? null;
    if (sinceMs === null || nowMs - sinceMs < rule.forMs) continue;
    const detail = moveDetail(instruction, run);
    return failed(program, run, { code: rule.code, text: rule.text, detail });
  }
  const met = instruction.until.ask(seen, run) === true ? watch.met + 1 : 0;
  if (met < instruction.times) {
    return poll(program, { ...run, watch: { ...watch, met, failSinceMs } }, nowMs);
  }
  if (!instruction.accept || run.accepted) {
    return goOn(program, { ...run, unsettled: false }, nowMs);
  }
  return goOn(program, { ...run, unsettled: false, accepted: true }, nowMs, [{ kind: "accepted" }]);
}

function fault(program: Program, run: Run, seen: Seen["seen"]): Advance {
  const { faultCode } = program;
  const known = faultCode === undefined ? undefined : seen(faultCode.point);
  if (faultCode === undefined || known !== undefined) return driveFault(program, run, known);
  const effect = { kind: "read", requests: faultCode.requests } as const;
  return { run: { ...run, phase: { at: "faulting" } }, effects: [effect] };
}

function onFaultRead(program: Program, run: Run, input: Input<"read">): Advance {
  const { faultCode } = program;
  return driveFault(program, run, faultCode && input.values.get(faultCode.point));
}

function driveFault(program: Program, run: Run, faultCode: number | undefined): Advance {
  const code = "DRIVE_FAULT";
  const name = faultCode === undefined ? "a fault" : `fault ${faultCode}`;
  const text = `the drive reports ${name}; remove its cause, then reset it`;
  const detail = {
    ...moveDetail(program.instructions[run.pc], run),
    ...(faultCode === undefined ? {} : { faultCode }),
  };
  return failed(program, run, { code, text, detail });
}
