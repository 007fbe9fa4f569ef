/**
 * Steps that hold steps: parallel, choose, repeat and call.
 *
 * The idea: a container's time is what its steps may take, so nobody writes it twice; a called
 * saga is laid out where it is called, with inputs that are judged here. It refuses a repeat
 * without an end and a call whose inputs do not fit.
 */
import { suggestion } from "#drivers/yaml-schema.js";
import type { Value, Written } from "./expression.js";
import { rangeOf } from "./expression-range.js";
import { listed, type Path } from "./file-problems.js";
import type { Block, InputSpec, SagaAction, SagaStepDefinition } from "./saga.js";
import { inputMisfit, kindOf } from "./saga-names.js";
import { type CalledSaga, readBlock, type StepContext, type StepFacts } from "./saga-steps.js";
import { readCondition, readNumber, readValue } from "./saga-values.js";

/** Turns of a repeat that names no end of its own. */
export const turnsMaxDefault = 1_000;
const turnsMaxMax = 10_000;
/** No container is said to take longer. */
const containerMsMax = 30 * 86_400_000;
const branchesMax = 8;

interface ContainerPlace {
  readonly kind: "parallel" | "choose" | "repeat" | "call";
  readonly index: number;
  readonly name: string;
}

export function readContainer(
  context: StepContext,
  path: Path,
  place: ContainerPlace,
): StepFacts | undefined {
  switch (place.kind) {
    case "parallel":
      return parallelOf(context, path, place.index);
    case "choose":
      return chooseOf(context, path, place.index);
    case "repeat":
      return repeatOf(context, path, place.index);
    case "call":
      return callOf(context, path, place);
    default:
      return place.kind satisfies never;
  }
}

/** The longest that the steps of a block may take in turn. */
function timeOf({ layout }: StepContext, block: Block): number {
  const steps = block.map((index) => layout.steps[index]);
  return steps.reduce((sum, step) => sum + longest(step, (inner) => layout.steps[inner]), 0);
}

function longest(
  step: SagaStepDefinition | undefined,
  stepAt: (index: number) => SagaStepDefinition | undefined,
): number {
  if (step === undefined) return 0;
  const { retry, orElse = [], timeoutMs } = step;
  const pausesMs = Array.from({ length: (retry?.attempts ?? 1) - 1 }).reduce<number>(
    (sum, _, i) => sum + (retry?.backoffMs ?? 0) * (retry?.factor ?? 1) ** i,
    0,
  );
  const planMs = orElse.reduce((sum, inner) => sum + longest(stepAt(inner), stepAt), 0);
  return Math.min(containerMsMax, timeoutMs * (retry?.attempts ?? 1) + pausesMs + planMs);
}

function contained(text: string, timeoutMs: number, action: SagaAction): StepFacts {
  return { text, timeoutMs: Math.min(containerMsMax, timeoutMs), action };
}

function parallelOf(context: StepContext, path: Path, index: number): StepFacts | undefined {
  const { read } = context;
  const where = [...path, "parallel", "branches"];
  const names = read.keys(where);
  if (names.length < 2 || names.length > branchesMax) {
    const said = `parallel has 2 to ${branchesMax} branches, not ${names.length}`;
    read.problems.at(where, said, { key: true });
  }
  const branches = names.map((name) => readBlock(context, [...where, name], index));
  const until = read.raw([...path, "parallel", "until"]) === "first" ? "first" : "all";
  const timeMs = Math.max(0, ...branches.map((block) => timeOf(context, block)));
  const text = `${until === "first" ? "first of" : "all of"} ${listed(names)}`;
  return contained(text, timeMs, { kind: "parallel", until, branches });
}

function chooseOf(context: StepContext, path: Path, index: number): StepFacts | undefined {
  const { read, names } = context;
  const where = [...path, "choose"];
  const cases: { when: Written; block: Block }[] = [];
  const count = read.length(where);
  for (let i = 0; i < count; i += 1) {
    const when = readCondition(read, [...where, i, "when"], names);
    const block = readBlock(context, [...where, i, "steps"], index);
    if (when !== undefined) cases.push({ when, block });
  }
  const otherwise = readBlock(context, [...path, "otherwise"], index);
  if (cases.length !== count) return undefined;
  const blocks = [...cases.map((one) => one.block), otherwise];
  const timeMs = Math.max(...blocks.map((block) => timeOf(context, block)));
  const text = `choose by ${cases.map(({ when }) => when.text).join("; ")}`;
  return contained(text, timeMs, { kind: "choose", cases, otherwise });
}

function repeatOf(context: StepContext, path: Path, index: number): StepFacts | undefined {
  const { read, names } = context;
  const where = [...path, "repeat"];
  const hasTimes = read.raw([...where, "times"]) !== undefined;
  const hasWhile = read.raw([...where, "while"]) !== undefined;
  const rules = { unit: undefined, min: 0, max: turnsMaxMax };
  const times = hasTimes ? readNumber(read, [...where, "times"], rules, names) : undefined;
  const whilst = hasWhile ? readCondition(read, [...where, "while"], names) : undefined;
  const block = readBlock(context, [...where, "steps"], index);
  if (!hasTimes && !hasWhile) {
    const said = "a repeat needs its end: times, while, or both";
    return read.problems.at(where, said, { key: true });
  }
  if ((hasTimes && times === undefined) || (hasWhile && whilst === undefined)) return undefined;
  if (typeof times === "number" && !(Number.isInteger(times) && times >= 1)) {
    return read.problems.at([...where, "times"], "times is a whole number from 1 on");
  }
  const turnsMax = turnsOf(context, [...where, "max"], times);
  if (turnsMax === undefined) return undefined;
  const often = times === undefined ? [] : [`${textOf(times)} times`];
  const text = ["repeat", ...often, ...(whilst === undefined ? [] : [`while ${whilst.text}`])];
  return contained(text.join(" "), timeOf(context, block) * turnsMax, {
    kind: "repeat",
    ...(times === undefined ? {} : { times }),
    ...(whilst === undefined ? {} : { whilst }),
    turnsMax,
    block,
  });
}

function textOf(value: Value | Written): string {
  return typeof value === "object" ? value.text : String(value);
}

/** The bound of a repeat: as written, else what `times` can be at most. */
function turnsOf(
  { read, names }: StepContext,
  path: Path,
  times: number | Written | undefined,
): number | undefined {
  const given = read.whole(path);
  if (typeof times === "number" && given !== undefined && given < times) {
    return read.problems.at(path, `max is below the ${times} times`);
  }
  if (given !== undefined) return given;
  if (typeof times === "number") return times;
  if (times === undefined) return turnsMaxDefault;
  const { max } = rangeOf(times.expression, {
    input: (name) => ({
      min: names.inputs[name]?.min ?? Number.NEGATIVE_INFINITY,
      max: names.inputs[name]?.max ?? Number.POSITIVE_INFINITY,
    }),
  });
  return Number.isFinite(max)
    ? Math.max(1, Math.min(turnsMaxMax, Math.ceil(max)))
    : turnsMaxDefault;
}

function callOf(
  context: StepContext,
  path: Path,
  { index, name }: ContainerPlace,
): StepFacts | undefined {
  const { read, layout } = context;
  const where = [...path, "call"];
  const saga = read.text([...where, "saga"]);
  if (saga === undefined) return undefined;
  const called = context.called(saga, [...where, "saga"]);
  if (called === undefined) return undefined;
  const inputs = callInputs(context, where, called);
  const place = { read, path: where };
  const block = layout.copy(called.laid, { call: name, parent: index, place });
  if (inputs === undefined) return undefined;
  const given = Object.entries(inputs).map(([key, value]) => `${key} ${textOf(value)}`);
  const text = ["call", saga, ...given].join(" ");
  return contained(text, timeOf(context, block), { kind: "call", saga, inputs, block });
}

/**
 * All inputs of the saga that `where` names: as its `with` gives them, else their default.
 * `key`: where the saga is named. @default "saga"
 */
export function callInputs(
  context: Pick<StepContext, "read" | "names">,
  where: Path,
  {
    name: saga,
    inputs,
    key = "saga",
  }: Pick<CalledSaga, "name" | "inputs"> & {
    readonly key?: string;
  },
): { readonly [name: string]: Value | Written } | undefined {
  const { read } = context;
  const path = [...where, "with"];
  const given = read.keys(path);
  let isGood = true;
  for (const name of given.filter((one) => !Object.hasOwn(inputs, one))) {
    const hint = suggestion(name, Object.keys(inputs));
    const facts = { key: true, ...(hint === undefined ? {} : { suggestion: hint }) };
    read.problems.at([...path, name], `the saga ${saga} has no input ${name}`, facts);
    isGood = false;
  }
  const values: [string, Value | Written][] = [];
  for (const [name, spec] of Object.entries(inputs)) {
    if (!given.includes(name)) {
      if (spec.default !== undefined) values.push([name, spec.default]);
      else {
        const hint = `with: { ${name}: … ${spec.unit ?? ""} }`;
        read.problems.at([...where, key], `${saga} needs its input ${name}`, {
          suggestion: hint,
        });
        isGood = false;
      }
      continue;
    }
    const value = inputOf(context, [...path, name], spec);
    const odd =
      value === undefined || typeof value === "object" ? undefined : inputMisfit(spec, value);
    if (odd !== undefined) read.problems.at([...path, name], odd, { value: String(value) });
    if (value === undefined || odd !== undefined) isGood = false;
    else values.push([name, value]);
  }
  return isGood ? Object.fromEntries(values) : undefined;
}

/** A number is judged over all that the inputs of the caller allow, like an argument. */
function inputOf(
  { read, names }: Pick<StepContext, "read" | "names">,
  path: Path,
  spec: InputSpec,
): Value | Written | undefined {
  const { kind, unit, min, max } = spec;
  if (kind !== "number") return readValue(read, path, kindOf(spec), names);
  const rules = {
    unit,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
  return readNumber(read, path, rules, names);
}
