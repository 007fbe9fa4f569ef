/**
 * How a run ends: the verdict, its sentence for a person, and the facts beside it.
 *
 * The idea: one place decides between refused, faulted and unknown, from what has been on the wire
 * and what was seen since. Nothing sent: refused. A trigger out and nobody knows: unknown. All
 * else that is not done: faulted. It refuses to call anything done; the machine does that.
 */
import { operandValue } from "./condition.js";
import type { OperationEffect } from "./device-model.js";
import type { Instruction, Program, Run } from "./program.js";
import type { Detail, OperationCode, Verdict } from "./reading.js";

export interface Advance {
  readonly run: Run;
  readonly effects: readonly OperationEffect[];
}

export function ended(
  run: Run,
  verdict: Verdict,
  before: readonly OperationEffect[] = [],
): Advance {
  const phase = { at: "ended" } as const;
  return { run: { ...run, phase, watch: null }, effects: [...before, { kind: "end", verdict }] };
}

function title({ device, verb }: Program): string {
  return `${device}: ${verb}`;
}

/** Target and position of the move that this instruction waits for, where it has one. */
export function moveDetail(instruction: Instruction | undefined, run: Run): Detail {
  const target = instruction?.op === "wait" ? instruction.until.target : undefined;
  if (target === undefined) return {};
  const wanted = operandValue(target.operand, run);
  const there = run.values[target.point];
  return {
    ...(wanted === undefined ? {} : { target: wanted }),
    ...(there === undefined ? {} : { position: there }),
  };
}

/** Done, with the last fresh values that the operation names as its result. */
export function done(program: Program, run: Run, before: readonly OperationEffect[]): Advance {
  const result: { [name: string]: number | boolean } = {};
  for (const [name, point] of program.result) {
    const value = run.values[point];
    if (value !== undefined) result[name] = value;
  }
  for (const [name, test] of program.resultFlags) {
    const answer = test.ask((point) => run.values[point], run);
    if (answer !== undefined) result[name] = answer;
  }
  return ended(run, { verdict: "done", result }, before);
}

/** Not done: refused if nothing has been on the wire, else faulted. */
export function failed(
  program: Program,
  run: Run,
  { code, text, detail = {} }: { code: OperationCode; text: string; detail?: Detail },
): Advance {
  const verdict = run.sent ? "faulted" : "refused";
  return ended(run, { verdict, code, text: `${title(program)}: ${text}`, detail });
}

export function unknown(program: Program, run: Run, text: string): Advance {
  const code = "OUTCOME_UNKNOWN";
  return ended(run, { verdict: "unknown", code, text: `${title(program)}: ${text}` });
}

/** The time of an instruction, or of the whole, is over. */
export function timedOut(program: Program, run: Run): Advance {
  const instruction = program.instructions[run.pc];
  if (run.unsettled) {
    return unknown(
      program,
      run,
      "the reply to the trigger was lost, and nothing shows what came of it",
    );
  }
  const last = run.watch?.last ?? "fresh";
  if (last !== "fresh") {
    const why = last === "none" ? "no fresh reading came" : `the readings fail (${last})`;
    if (run.moved) return unknown(program, run, `${why}; look at the axis itself`);
    return failed(program, run, { code: "DEVICE_UNREACHABLE", text: `${why}; check its link` });
  }
  const detail = moveDetail(instruction, run);
  switch (instruction?.op) {
    case "wait":
    case "reach":
      return failed(program, run, {
        code: instruction.otherwise,
        text: sentences[instruction.otherwise] ?? "it did not end in its time",
        detail,
      });
    case "readBack": {
      const wrote = operandValue(instruction.operand, run) ?? null;
      const read = run.values[instruction.point] ?? null;
      const text = `${instruction.point} reads back as ${read}, ${wrote} was written`;
      const facts = { point: instruction.point, wrote, read };
      return failed(program, run, { code: "READ_BACK_DIFFERS", text, detail: facts });
    }
    case "write":
    case "hold":
    case "jump":
    case "capture":
    case "branch":
    case "endIf":
    case undefined:
      return failed(program, run, { code: "NOT_DONE_IN_TIME", text: "it did not end in its time" });
    default:
      return instruction satisfies never;
  }
}

const sentences: { readonly [C in OperationCode]?: string } = {
  NOT_ACCEPTED: "the device did not accept it in time; look at its state and fault code",
  NOT_DONE_IN_TIME: "it did not end in its time; look for what holds the axis",
  DRIVE_FAULT: "the drive still reports its fault; remove the cause first",
};
