/**
 * The rules of a cell file: which event starts which saga, with which inputs.
 *
 * The idea: a rule reads like a sentence (`on: run.completed, saga: grab, start: advance`), and
 * everything that can be known beforehand is judged here: that there are such events, sagas and
 * inputs, and that no chain of rules leads back to where it began. It refuses a loop that nobody
 * has given a reason for.
 */
import { suggestion } from "#drivers/yaml-schema.js";
import { parseEventFilter } from "./event-text.js";
import type { Expression, Written } from "./expression.js";
import { listed, type Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { EventFilter, RuleConfig, SagaDefinition } from "./saga.js";
import { callInputs } from "./saga-containers.js";
import { SagaNames } from "./saga-names.js";
import { readCondition } from "./saga-values.js";

const rulesMax = 100;
const debounceMsMax = 600_000;
const withinMsMax = 86_400_000;

export interface RuleContext {
  readonly devices: readonly string[];
  readonly sagas: readonly SagaDefinition[];
}

interface RuleDraft {
  readonly path: Path;
  readonly rule: RuleConfig;
  /** The run events of this saga only. */
  readonly of?: string;
  readonly loop?: string;
}

export function resolveRules(read: FileReader, context: RuleContext): readonly RuleConfig[] {
  const count = read.length(["rules"]);
  if (count > rulesMax) read.problems.at(["rules"], `a cell has at most ${rulesMax} rules`);
  const drafts: RuleDraft[] = [];
  const names = new Set<string>();
  for (let i = 0; i < Math.min(count, rulesMax); i += 1) {
    const path = ["rules", i];
    const name = read.text([...path, "name"]) ?? `rule-${i + 1}`;
    if (names.has(name)) read.problems.at([...path, "name"], `the rule ${name} stands twice`);
    names.add(name);
    const draft = ruleOf(read, path, name, context);
    if (draft !== undefined) drafts.push(draft);
  }
  checkLoops(read, drafts, context.sagas);
  return drafts.map(({ rule }) => rule);
}

function ruleOf(
  read: FileReader,
  path: Path,
  name: string,
  context: RuleContext,
): RuleDraft | undefined {
  const names = new SagaNames({}, new Set(), () => "a rule reads only its event");
  names.noteEvent();
  const on = filterOf(read, path, context, names);
  const of = read.text([...path, "saga"]);
  if (of !== undefined) named(read, [...path, "saga"], of, context.sagas);
  const start = read.text([...path, "start"]);
  const saga =
    start === undefined ? undefined : named(read, [...path, "start"], start, context.sagas);
  const called = saga && { name: saga.name, inputs: saga.inputs ?? {}, key: "start" };
  const inputs = called && callInputs({ read, names }, path, called);
  const debounceMs = optional(read, [...path, "debounce"], debounceMsMax);
  const rate = rateOf(read, path);
  if (on === undefined || saga === undefined || inputs === undefined) return undefined;
  const wait = read.raw([...path, "wait"]) === true;
  const rule: RuleConfig = {
    name,
    on,
    saga: saga.name,
    inputs,
    wait,
    ...(debounceMs === undefined ? {} : { debounceMs }),
    ...(rate === undefined ? {} : { rate }),
  };
  const loop = read.text([...path, "loop"]);
  return {
    path,
    rule,
    ...(of === undefined ? {} : { of }),
    ...(loop === undefined ? {} : { loop }),
  };
}

function named(
  read: FileReader,
  path: Path,
  name: string,
  sagas: readonly SagaDefinition[],
): SagaDefinition | undefined {
  const found = sagas.find((saga) => saga.name === name);
  if (found !== undefined) return found;
  const known = sagas.map((saga) => saga.name);
  const hint = suggestion(name, known) ?? `known: ${listed(known)}`;
  return read.problems.at(path, `there is no saga ${name} in this cell`, { suggestion: hint });
}

/** The ends of a run as events of their own: `run.completed` is `run.*.ended` in that state. */
const runEnds = ["completed", "madeSafe", "stopped", "needsOperator"];

function filterOf(
  read: FileReader,
  path: Path,
  { devices }: RuleContext,
  names: SagaNames,
): EventFilter | undefined {
  const text = read.text([...path, "on"]);
  if (text === undefined) return undefined;
  const short = /^(?<kind>run|cell)\.(?<type>[a-z][A-Za-z.]*)$/.exec(text)?.groups;
  const parsed = parseEventFilter(
    short === undefined ? text : `${short.kind}.*.${short.type}`,
    devices,
  );
  if (!parsed.ok) {
    const facts = parsed.suggestion === undefined ? {} : { suggestion: parsed.suggestion };
    return read.problems.at([...path, "on"], parsed.problem, facts);
  }
  const { filter } = parsed;
  const isEnd = filter.kind === "run" && runEnds.includes(filter.type);
  const parts: Expression[] = isEnd ? [is("state", filter.type)] : [];
  const of = read.text([...path, "saga"]);
  if (of !== undefined && filter.kind !== "run") {
    return read.problems.at([...path, "saga"], "only the events of runs are those of a saga");
  }
  if (of !== undefined) parts.push(is("saga", of));
  if (read.text([...path, "where"]) !== undefined) {
    const where = readCondition(read, [...path, "where"], names);
    if (where === undefined) return undefined;
    parts.push(where.expression);
  }
  const where = allOf(parts, read.text([...path, "where"]) ?? text);
  return {
    ...filter,
    type: isEnd ? "ended" : filter.type,
    ...(where === undefined ? {} : { where }),
  };
}

function is(field: string, value: string): Expression {
  const left = { kind: "event", name: field } as const;
  return { kind: "binary", op: "==", left, right: { kind: "literal", value } };
}

function allOf(parts: readonly Expression[], text: string): Written | undefined {
  const [first, ...rest] = parts;
  if (first === undefined) return undefined;
  const and = (left: Expression, right: Expression): Expression => {
    return { kind: "binary", op: "and", left, right };
  };
  return { text, expression: rest.reduce(and, first) };
}

function optional(read: FileReader, path: Path, max: number): number | undefined {
  if (read.raw(path) === undefined) return undefined;
  return read.quantity(path, { unit: "ms", min: 1, max });
}

function rateOf(read: FileReader, path: Path): RuleConfig["rate"] {
  const where = [...path, "rate"];
  if (read.raw(where) === undefined) return undefined;
  const starts = read.whole([...where, "starts"]);
  const withinMs = optional(read, [...where, "within"], withinMsMax);
  return starts === undefined || withinMs === undefined ? undefined : { starts, withinMs };
}

/** Whether a run of this saga can bring about the event of the rule. */
function mayCause(saga: SagaDefinition, { rule, of }: RuleDraft): boolean {
  const { kind, id } = rule.on;
  if (kind === "run") return of === undefined || of === saga.name;
  if (kind === "cell") return true;
  return id === undefined ? saga.uses.length > 0 : saga.uses.includes(id);
}

/** A chain of rules that leads back to a saga in it would go on for ever. */
function checkLoops(
  read: FileReader,
  drafts: readonly RuleDraft[],
  sagas: readonly SagaDefinition[],
): void {
  const told = new Set<RuleDraft>();
  for (const first of drafts) {
    const loop = loopFrom(first, drafts, sagas);
    if (loop === undefined || loop.some((draft) => told.has(draft) || draft.loop !== undefined)) {
      continue;
    }
    for (const draft of loop) told.add(draft);
    const way = [...loop, first].map(({ rule }) => rule.saga).join(" → ");
    const text = `the rule ${first.rule.name} starts itself again: ${way}`;
    read.problems.at([...first.path, "start"], text, {
      suggestion: "name the saga whose events are meant, or give a reason: loop: …",
    });
  }
}

/** The shortest way by rules from this one's saga to this one's event. */
function loopFrom(
  first: RuleDraft,
  drafts: readonly RuleDraft[],
  sagas: readonly SagaDefinition[],
): readonly RuleDraft[] | undefined {
  const sagaOf = ({ rule }: RuleDraft) => sagas.find(({ name }) => name === rule.saga);
  const ways: RuleDraft[][] = [[first]];
  const seen = new Set<RuleDraft>([first]);
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const last = way.at(-1);
    const saga = last === undefined ? undefined : sagaOf(last);
    if (saga === undefined) continue;
    if (mayCause(saga, first)) return way;
    for (const next of drafts) {
      if (seen.has(next) || !mayCause(saga, next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}
