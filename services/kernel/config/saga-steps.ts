/**
 * The steps of a saga, one by one, from the file into the flat tree.
 *
 * The idea: a step has exactly one action, and every other key belongs to some actions and not to
 * others; one table says which. It refuses a step that moves something and does not say how it is
 * made safe.
 */
import type { DeviceDraft } from "./cell-devices.js";
import { parseEventFilter } from "./event-text.js";
import { listed, type Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { Block, MakeSafe, Retry, SagaOperation, SagaStepDefinition } from "./saga.js";
import { readContainer } from "./saga-containers.js";
import type { LaidOut, SagaLayout } from "./saga-layout.js";
import type { Inputs, SagaNames } from "./saga-names.js";
import { resolveOperation } from "./saga-operation.js";
import { readCondition, readNumber, readVariable } from "./saga-values.js";

const timeoutMsDefault = 30_000;
/** A person takes longer than a machine. */
const askTimeoutMsDefault = 600_000;
const operationMsMax = 600_000;
export const waitMsMax = 86_400_000;
/** A dwell ends by itself; its step may take this much longer than it says. */
const dwellGraceMs = 1_000;
/** What is worked out and nothing more. */
const setMs = 1_000;

/** Another saga, as far as a call needs it. */
export interface CalledSaga {
  readonly name: string;
  readonly inputs: Inputs;
  readonly laid: LaidOut;
}

export interface StepContext {
  readonly read: FileReader;
  readonly devices: readonly DeviceDraft[];
  readonly names: SagaNames;
  readonly layout: SagaLayout;
  /** Names that are taken in this file. */
  readonly taken: Set<string>;
  /** The saga that a call names; undefined: there is none, which has been noted at `path`. */
  readonly called: (name: string, path: Path) => CalledSaga | undefined;
}

export const stepKinds = [
  "do",
  "dwell",
  "waitFor",
  "signal",
  "ask",
  "set",
  "parallel",
  "choose",
  "repeat",
  "call",
] as const;
export type StepKind = (typeof stepKinds)[number];

/** Which further keys a step of each kind may have. */
export const stepKeys: { readonly [K in StepKind]: readonly string[] } = {
  do: ["with", "timeout", "retry", "orElse", "makeSafe", "maxAge"],
  dwell: ["makeSafe", "maxAge"],
  waitFor: ["timeout", "makeSafe", "maxAge"],
  signal: ["timeout", "makeSafe"],
  ask: ["timeout", "makeSafe"],
  set: ["maxAge"],
  parallel: [],
  choose: ["otherwise", "orElse", "maxAge"],
  repeat: ["orElse", "maxAge"],
  call: ["orElse", "maxAge"],
};

const why: { readonly [key: string]: string } = {
  timeout: "it ends by itself, and so has no timeout",
  retry: "only an operation is tried again",
  orElse: "only an operation, choose, repeat and call have a backup plan",
  makeSafe: "its steps say how they are made safe",
  with: "only an operation has arguments here",
  otherwise: "otherwise belongs to choose",
  maxAge: "it reads nothing",
};

/** The steps of a list, in turn. */
export function readBlock(context: StepContext, path: Path, parent: number | undefined): Block {
  const block: number[] = [];
  for (let i = 0; i < context.read.length(path); i += 1) {
    const index = readStep(context, [...path, i], parent);
    if (index !== undefined) block.push(index);
  }
  return block;
}

/** What of a step its kind decides. */
export type StepFacts = Pick<SagaStepDefinition, "text" | "timeoutMs" | "action">;

function readStep(
  context: StepContext,
  path: Path,
  parent: number | undefined,
): number | undefined {
  const { read, layout, taken } = context;
  const name = read.text([...path, "name"]);
  if (name !== undefined && taken.has(name)) {
    read.problems.at([...path, "name"], `the step ${name} stands twice; names are unique`);
  }
  if (name !== undefined) taken.add(name);
  const kind = kindOfStep(read, path);
  if (kind === undefined) return undefined;
  const index = layout.reserve({ read, path });
  if (index === undefined) return undefined;
  oddKeys(read, path, kind);
  const makeSafe = makeSafeOf(context, path, kind === "do");
  const facts = readAction(context, path, { kind, index, name: name ?? "" });
  const retry = retryOf(read, path);
  const age = read.raw([...path, "maxAge"]);
  const readingsAgeMsMax =
    age === undefined
      ? undefined
      : read.quantity([...path, "maxAge"], { unit: "ms", min: 20, max: 60_000 });
  const hasPlan = read.length([...path, "orElse"]) > 0;
  const orElse = hasPlan ? readBlock(context, [...path, "orElse"], index) : undefined;
  if (name === undefined || facts === undefined || makeSafe === undefined) return undefined;
  layout.fill(index, {
    name,
    ...facts,
    makeSafe,
    ...(retry === undefined ? {} : { retry }),
    ...(orElse === undefined ? {} : { orElse }),
    ...(readingsAgeMsMax === undefined ? {} : { readingsAgeMsMax }),
    ...(parent === undefined ? {} : { parent }),
  });
  return index;
}

function kindOfStep(read: FileReader, path: Path): StepKind | undefined {
  const kinds = stepKinds.filter((kind) => read.raw([...path, kind]) !== undefined);
  const [kind] = kinds;
  if (kinds.length === 1) return kind;
  const said = kinds.length === 0 ? "nothing" : listed(kinds);
  const others = listed(stepKinds.slice(3));
  const text = `a step has one of do, dwell and waitFor, or of ${others}; this has ${said}`;
  return read.problems.at(path, text);
}

function oddKeys(read: FileReader, path: Path, kind: StepKind): void {
  for (const [key, reason] of Object.entries(why)) {
    if (stepKeys[kind].includes(key) || read.raw([...path, key]) === undefined) continue;
    const text = kind === "dwell" && key === "timeout" ? "a dwell ends by itself; it" : undefined;
    const said = text === undefined ? `a ${kind} step: ${reason}` : `${text} has no timeout`;
    read.problems.at([...path, key], said, { key: true });
  }
}

interface ActionPlace {
  readonly kind: StepKind;
  readonly index: number;
  readonly name: string;
}

function readAction(context: StepContext, path: Path, place: ActionPlace): StepFacts | undefined {
  const { kind } = place;
  switch (kind) {
    case "do":
      return operationOf(context, path);
    case "dwell":
      return dwellOf(context, path);
    case "waitFor":
      return waitOf(context, path);
    case "signal":
      return signalOf(context, path);
    case "ask":
      return askOf(context, path);
    case "set":
      return setOf(context, path);
    case "parallel":
    case "choose":
    case "repeat":
    case "call":
      return readContainer(context, path, { ...place, kind });
    default:
      return kind satisfies never;
  }
}

function timeoutOf(read: FileReader, path: Path, fallback: number, max: number) {
  return read.quantity([...path, "timeout"], { unit: "ms", fallback, min: 100, max });
}

function operationOf(context: StepContext, path: Path): StepFacts | undefined {
  const { read, devices, names } = context;
  const timeoutMs = timeoutOf(read, path, timeoutMsDefault, operationMsMax);
  const resolved = resolveOperation(read, path, devices, names);
  if (resolved === undefined || timeoutMs === undefined) return undefined;
  const { operation, text } = resolved;
  return { text, timeoutMs, action: { kind: "operation", operation } };
}

function dwellOf({ read, names }: StepContext, path: Path): StepFacts | undefined {
  const where = [...path, "dwell"];
  const forMs = readNumber(read, where, { unit: "ms", min: 1, max: waitMsMax }, names);
  if (forMs === undefined) return undefined;
  const longestMs = typeof forMs === "number" ? forMs : waitMsMax;
  const text = `dwell ${String(read.raw(where))}`;
  return { text, timeoutMs: longestMs + dwellGraceMs, action: { kind: "dwell", forMs } };
}

function waitOf(context: StepContext, path: Path): StepFacts | undefined {
  const { read, names } = context;
  const where = [...path, "waitFor"];
  const timeoutMs = timeoutOf(read, path, timeoutMsDefault, waitMsMax);
  if (read.text(where) === undefined) return eventOf(context, path, timeoutMs);
  const condition = readCondition(read, where, names);
  if (condition === undefined || timeoutMs === undefined) return undefined;
  const text = `wait for ${condition.text}`;
  return { text, timeoutMs, action: { kind: "waitFor", condition } };
}

function eventOf(
  { read, names, devices }: StepContext,
  path: Path,
  timeoutMs: number | undefined,
): StepFacts | undefined {
  const where = [...path, "waitFor"];
  const text = read.text([...where, "event"]);
  if (text === undefined) return undefined;
  names.noteEvent();
  const ids = devices.map(({ id }) => id);
  const parsed = parseEventFilter(text, ids);
  if (!parsed.ok) {
    const facts = parsed.suggestion === undefined ? {} : { suggestion: parsed.suggestion };
    return read.problems.at([...where, "event"], parsed.problem, facts);
  }
  if (parsed.doubt !== undefined) {
    const facts = { severity: "warning", suggestion: parsed.doubt } as const;
    read.problems.at([...where, "event"], "Servocell sends no such event", facts);
  }
  const isFiltered = read.text([...where, "where"]) !== undefined;
  const filter = isFiltered ? readCondition(read, [...where, "where"], names) : undefined;
  if ((isFiltered && filter === undefined) || timeoutMs === undefined) return undefined;
  const event = { ...parsed.filter, ...(filter === undefined ? {} : { where: filter }) };
  const where2 = filter === undefined ? "" : ` where ${filter.text}`;
  return {
    text: `wait for the event ${text}${where2}`,
    timeoutMs,
    action: { kind: "waitForEvent", event },
  };
}

function signalOf({ read }: StepContext, path: Path): StepFacts | undefined {
  const signal = read.text([...path, "signal"]);
  const timeoutMs = timeoutOf(read, path, askTimeoutMsDefault, waitMsMax);
  if (signal === undefined || timeoutMs === undefined) return undefined;
  return { text: `wait for the signal ${signal}`, timeoutMs, action: { kind: "signal", signal } };
}

function askOf({ read, names }: StepContext, path: Path): StepFacts | undefined {
  const where = [...path, "ask"];
  const text = read.text([...where, "text"]);
  const choices = read.texts([...where, "choices"]);
  const timeoutMs = timeoutOf(read, path, askTimeoutMsDefault, waitMsMax);
  for (const [i, choice] of choices.entries()) {
    if (choices.indexOf(choice) === i) continue;
    read.problems.at([...where, "choices", i], `the choice ${choice} stands twice`);
  }
  const as = read.text([...where, "as"]);
  const odd = as === undefined ? undefined : names.note(as, { kind: "text", choices });
  if (odd !== undefined) read.problems.at([...where, "as"], odd);
  if (text === undefined || timeoutMs === undefined) return undefined;
  const kept = as === undefined ? {} : { as };
  return { text: `ask: ${text}`, timeoutMs, action: { kind: "ask", text, choices, ...kept } };
}

function setOf({ read, names }: StepContext, path: Path): StepFacts | undefined {
  const where = [...path, "set"];
  const variables = read.keys(where).flatMap((name) => {
    const found = readVariable(read, [...where, name], names);
    if (found === undefined) return [];
    const odd = names.note(name, found.kind);
    if (odd !== undefined) read.problems.at([...where, name], odd);
    return [{ name, value: found.written }];
  });
  if (variables.length === 0) return undefined;
  const text = variables.map(({ name, value }) => `${name} = ${value.text}`).join(", ");
  return { text: `set ${text}`, timeoutMs: setMs, action: { kind: "set", variables } };
}

function makeSafeOf(context: StepContext, path: Path, acts: boolean): MakeSafe | undefined {
  const { read, devices } = context;
  const where = [...path, "makeSafe"];
  const raw = read.raw(where);
  if (raw === "still") return { kind: "still" };
  if (Array.isArray(raw)) {
    const operations: SagaOperation[] = [];
    for (const i of raw.keys()) {
      const resolved = resolveOperation(read, [...where, i], devices);
      if (resolved !== undefined) operations.push(resolved.operation);
    }
    return operations.length === raw.length ? { kind: "operations", operations } : undefined;
  }
  if (raw !== undefined || !acts) return { kind: "none" };
  return read.problems.at(where, "the step does not say how it is made safe", {
    suggestion: 'makeSafe: still, { none: "why" } or a list of { do: device.operation }',
  });
}

function retryOf(read: FileReader, path: Path): Retry | undefined {
  const where = [...path, "retry"];
  const attempts = read.whole([...where, "attempts"]);
  if (attempts === undefined) return undefined;
  const rules = { unit: "ms", fallback: 500, min: 0, max: 60_000 };
  const backoffMs = read.quantity([...where, "backoff"], rules);
  const factor = read.raw([...where, "factor"]) ?? 2;
  if (backoffMs === undefined || typeof factor !== "number") return undefined;
  return { attempts, backoffMs, factor };
}
