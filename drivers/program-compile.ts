/**
 * Steps of a profile → instructions of a program.
 *
 * The idea: everything that does not change between runs is worked out here, once: frames of
 * constants, read requests, thresholds in user units, where a branch goes. It refuses (throws) what
 * the lint and the check of the setup have to refuse before.
 */
import type { Encoded } from "./codec.js";
import type { OperandValues } from "./condition.js";
import { compileCondition, operandValue, stateOf, worth } from "./condition.js";
import type { DriveState, ReadRequest } from "./device-model.js";
import type { Names } from "./expression.js";
import { blockFrame, codecOf, frameOf, rawOf } from "./frame.js";
import type { Condition, Profile, StepSpec } from "./profile.js";
import type { Operand } from "./profile-behaviour.js";
import type { Instruction, Reader } from "./program.js";
import { planReads } from "./read-plan.js";
import type { LineSpeed } from "./wire-time.js";

/** Longest wait for the low side of an edge to be seen, and the least time that it is low. */
const lowUntilMs = 1000;
/** MO-03: a drive's scan may take this long to see that a bit was low. @default for `lowForMs` */
const lowForMsDefault = 10;

export interface CompileContext {
  readonly profile: Profile;
  readonly names: Names;
  /** Points that every decision looks at: the state word and what tells a fault. */
  readonly always: readonly string[];
  /** The line that its reads are planned for. */
  readonly wire?: LineSpeed;
}

/** Requests for these points and the ones that every decision looks at. */
export function requestsFor(
  { profile, always, wire }: CompileContext,
  points: readonly string[],
): readonly ReadRequest[] {
  return planReads(profile, [...always, ...points], wire);
}

type Frame = (values: OperandValues) => Encoded<Uint8Array>;

/** One frame per point, or one for the whole block. */
export function frameMakers(
  step: Pick<StepSpec, "write" | "block">,
  context: CompileContext,
): readonly Frame[] {
  const { profile, names } = context;
  const fields = Object.entries(step.write ?? {}).map(([name, operand]) => {
    return [codecOf(profile, names, name), operand] as const;
  });
  const operandOf = (name: string, operand: number | Operand, values: OperandValues) => {
    const value = operandValue(operand, values);
    return value === undefined
      ? { ok: false as const, why: `${name} has no value` }
      : { ok: true as const, value };
  };
  const { block } = step;
  if (block === undefined) {
    return fields.map(
      ([codec, operand]): Frame =>
        (values) => {
          const value = operandOf(codec.name, operand, values);
          return value.ok ? frameOf(profile, codec, value.value) : value;
        },
    );
  }
  return [
    (values) => {
      const filled: (readonly [(typeof fields)[number][0], number])[] = [];
      for (const [codec, operand] of fields) {
        const value = operandOf(codec.name, operand, values);
        if (!value.ok) return value;
        filled.push([codec, value.value]);
      }
      return blockFrame(profile, block, filled);
    },
  ];
}

/** A write whose values are numbers, or arithmetic over the installation. */
export interface ConstantWrite {
  readonly write?: { readonly [point: string]: number | string } | undefined;
  readonly block?: string | undefined;
}

/** Frames whose values are constants. @throws RangeError when one does not fit. */
export function constantFrames(
  step: ConstantWrite,
  context: CompileContext,
): readonly Uint8Array[] {
  const write = Object.fromEntries(
    Object.entries(step.write ?? {}).map(([name, value]) => [name, worth(value, context.names)]),
  );
  return frameMakers({ write, block: step.block }, context).map((frame) => {
    const made = frame({ args: {}, captures: {} });
    if (!made.ok) throw new RangeError(made.why);
    return made.value;
  });
}

function writes(
  step: Pick<StepSpec, "write" | "block" | "once">,
  role: "level" | "trigger",
  context: CompileContext,
): readonly Instruction[] {
  const text = Object.keys(step.write ?? {}).join(", ");
  const rule = step.once === true ? { once: true } : {};
  return frameMakers(step, context).map((frame) => {
    return { op: "write", role, frame, text, ...rule } as const;
  });
}

function waitFor(
  until: Condition,
  context: CompileContext,
  more: Partial<Extract<Instruction, { op: "wait" }>>,
): Instruction {
  const test = compileCondition(until, context);
  return {
    op: "wait",
    requests: requestsFor(context, test.points),
    until: test,
    times: 1,
    timeoutMs: lowUntilMs,
    travelFactor: 0,
    accept: false,
    otherwise: "NOT_ACCEPTED",
    fail: [],
    ...more,
  };
}

function edge(
  spec: NonNullable<StepSpec["edge"]>,
  context: CompileContext,
): readonly Instruction[] {
  const side = (value: number) => ({ write: { [spec.point]: value } });
  const low = spec.lowUntil === undefined ? [] : [waitFor(spec.lowUntil, context, {})];
  return [
    ...writes(side(spec.low), "level", context),
    ...low,
    { op: "hold", forMs: spec.lowForMs ?? lowForMsDefault },
    ...writes(side(spec.high), spec.trigger ? "trigger" : "level", context),
  ];
}

function wait(spec: NonNullable<StepSpec["wait"]>, context: CompileContext): Instruction {
  const fail = (spec.fail ?? []).map((rule) => ({
    ...rule,
    when: compileCondition(rule.when, context),
  }));
  const until = compileCondition(spec.until, context);
  const points = [...until.points, ...fail.flatMap((rule) => rule.when.points)];
  return waitFor(spec.until, context, {
    requests: requestsFor(context, points),
    times: spec.times ?? 1,
    timeoutMs: spec.timeoutMs,
    travelFactor: spec.travelFactor ?? 0,
    accept: spec.accept ?? false,
    otherwise: spec.otherwise,
    fail,
  });
}

function reach(spec: NonNullable<StepSpec["reach"]>, context: CompileContext): Instruction {
  const { profile } = context;
  const by: { [S in DriveState]?: Uint8Array } = {};
  for (const [state, value] of Object.entries(spec.by)) {
    const [frame] = constantFrames({ write: { [spec.point]: value } }, context);
    if (frame !== undefined) by[state as DriveState] = frame;
  }
  return {
    op: "reach",
    requests: requestsFor(context, []),
    goal: spec.goal,
    state: (look) => stateOf(profile, look),
    by,
    timeoutMs: spec.timeoutMs,
    otherwise: spec.otherwise,
  };
}

/** The frame is made when the number is known; what may move something is sent once. */
function output(
  spec: NonNullable<StepSpec["output"]>,
  context: CompileContext,
): readonly Instruction[] {
  const { profile, names } = context;
  const codecs = spec.points.map((name) => codecOf(profile, names, name));
  const chosen = ({ args }: OperandValues) => codecs[(args[spec.number] ?? 0) - 1];
  const frame: Frame = (values) => {
    const codec = chosen(values);
    const value = values.args[spec.value];
    if (codec === undefined || value === undefined) {
      return { ok: false, why: `there is no output ${values.args[spec.number]}` };
    }
    return frameOf(profile, codec, value);
  };
  const until = {
    points: spec.points,
    ask: (look: (point: string) => number | undefined, values: OperandValues) => {
      const there = look(chosen(values)?.name ?? "");
      return there === undefined ? undefined : there === values.args[spec.value];
    },
  };
  return [
    { op: "write", role: "trigger", frame, text: "output" },
    {
      op: "wait",
      requests: requestsFor(context, spec.points),
      until,
      times: 1,
      timeoutMs: spec.timeoutMs,
      travelFactor: 0,
      accept: true,
      otherwise: "NOT_ACCEPTED",
      fail: [],
    },
  ];
}

function readBacks(
  entries: NonNullable<StepSpec["readBack"]>,
  context: CompileContext,
): readonly Instruction[] {
  const { profile, names } = context;
  return Object.entries(entries).map(([point, operand]) => {
    const codec = codecOf(profile, names, point);
    const raw = (user: number) => {
      const made = rawOf(codec, user);
      return made.ok ? made.value : undefined;
    };
    return {
      op: "readBack",
      requests: requestsFor(context, [point]),
      point,
      operand,
      raw,
    } as const;
  });
}

/** Appends the instructions of these steps; branch targets are absolute. */
export function compileSteps(
  steps: readonly StepSpec[],
  context: CompileContext,
  before: readonly Instruction[] = [],
): readonly Instruction[] {
  let list = [...before];
  for (const step of steps) {
    if (step.when !== undefined) list = [...branch(step, context, list)];
    else list.push(...simple(step, context));
  }
  return list;
}

function simple(step: StepSpec, context: CompileContext): readonly Instruction[] {
  if (step.write !== undefined) {
    return writes(step, step.trigger === true ? "trigger" : "level", context);
  }
  if (step.edge !== undefined) return edge(step.edge, context);
  if (step.hold !== undefined) return [{ op: "hold", forMs: step.hold }];
  if (step.wait !== undefined) return [wait(step.wait, context)];
  if (step.reach !== undefined) return [reach(step.reach, context)];
  if (step.readBack !== undefined) return readBacks(step.readBack, context);
  if (step.capture !== undefined) {
    const entries = Object.entries(step.capture);
    const requests = requestsFor(
      context,
      entries.map(([, point]) => point),
    );
    return [{ op: "capture", requests, entries }];
  }
  if (step.output !== undefined) return output(step.output, context);
  if (step.endIf !== undefined) {
    const when = compileCondition(step.endIf, context);
    return [{ op: "endIf", requests: requestsFor(context, when.points), when }];
  }
  throw new RangeError("an empty step");
}

function branch(
  step: StepSpec,
  context: CompileContext,
  before: readonly Instruction[],
): readonly Instruction[] {
  const when = compileCondition(step.when ?? {}, context);
  const requests = requestsFor(context, when.points);
  const at = before.length;
  const placeholder: Instruction = { op: "jump", to: at };
  const yes = compileSteps(step.do ?? [], context, [...before, placeholder]);
  const no = compileSteps(step.else ?? [], context, [...yes, placeholder]);
  const head: Reader = { op: "branch", requests, when, otherwiseTo: yes.length + 1 };
  return no.map((one, i) => {
    if (i === at) return head;
    return i === yes.length ? { op: "jump", to: no.length } : one;
  });
}
