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

import { type LinkedRule, loopsOf, wayBack } from "./rule-loops.js";
import type { EventFilter, RuleConfig, SagaDefinition } from "./saga.js";
import { ruleClash } from "./saga-check-locks.js";
import { callInputs } from "./saga-containers.js";
import { SagaNames } from "./saga-names.js";
import { readCondition } from "./saga-values.js";

const rulesMax = 100;
const debounceMsMax = 600_000;
const withinMsMax = 86_400_000;

export interface RuleContext {
  readonly devices: readonly string[];
  readonly sagas: readonly SagaDefinition[];
  /** Also of those that something is wrong with. */
  readonly names: readonly string[];
}

interface RuleDraft extends LinkedRule {
  readonly path: Path;
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
  if (of !== undefined) named(read, [...path, "saga"], of, context);
  const start = read.text([...path, "start"]);
  const saga = start === undefined ? undefined : named(read, [...path, "start"], start, context);
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
  const clash = ruleClash(rule, context.sagas);
  if (clash !== undefined) {
    const facts = { severity: "warning", suggestion: "wait: true" } as const;
    read.problems.at([...path, "on"], clash, facts);
  }
  return { path, rule, accepted: read.text([...path, "loop"]) !== undefined };
}

function named(
  read: FileReader,
  path: Path,
  name: string,
  { sagas, names }: RuleContext,
): SagaDefinition | undefined {
  const found = sagas.find((saga) => saga.name === name);
  // What is wrong with it has been said in its own file.
  if (found !== undefined || names.includes(name)) return found;
  const hint = suggestion(name, names) ?? `known: ${listed(names)}`;
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
  if (parsed.doubt !== undefined && !(filter.kind === "run" && runEnds.includes(filter.type))) {
    const facts = { severity: "warning", suggestion: parsed.doubt } as const;
    read.problems.at([...path, "on"], `Servocell sends no event ${text}`, facts);
  }
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

/** A chain of rules that leads back to a saga in it would go on for ever. */
function checkLoops(
  read: FileReader,
  drafts: readonly RuleDraft[],
  sagas: readonly SagaDefinition[],
): void {
  for (const loop of loopsOf(drafts, sagas)) {
    const [first] = loop;
    const draft = drafts.find((one) => one === first);
    if (draft === undefined) continue;
    const way = [...loop, draft].map(({ rule }) => rule.saga).join(" → ");
    const text = `the rule ${draft.rule.name} starts itself again: ${way}`;
    read.problems.at([...draft.path, "start"], text, {
      suggestion: "name the saga whose events are meant, or give a reason: loop: …",
    });
  }
  for (const draft of drafts.filter(({ accepted }) => accepted)) {
    if (wayBack(draft, drafts, sagas) !== undefined) continue;
    const text = `the rule ${draft.rule.name} is in no loop`;
    read.problems.at([...draft.path, "loop"], text, { key: true, severity: "warning" });
  }
}
