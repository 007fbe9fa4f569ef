/**
 * The inputs and variables of a saga: what they are, and what its expressions may name.
 *
 * The idea: an input says what it is; a variable is what it is first set to, in the order of the
 * file, and stays that. A variable that is set further down (in a loop) goes with anything until
 * then. It refuses inputs whose default is not among what they may be.
 */
import { baseUnits, parseQuantity } from "#drivers/units.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { FieldLookup } from "./condition.js";
import type { Value } from "./expression.js";
import { kindText, misfit, type ValueKind } from "./expression-kinds.js";
import type { ExpressionNames } from "./expression-text.js";
import { listed, type Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { InputSpec } from "./saga.js";

export type Inputs = { readonly [name: string]: InputSpec };

/** Greatest number of inputs, and of variables, of one saga. */
const namesMax = 32;

/** What an input is, for expressions. */
export function kindOf({ kind, unit, choices }: InputSpec): ValueKind {
  if (kind === "boolean") return { kind };
  if (kind === "text") return choices === undefined ? { kind } : { kind, choices };
  return { kind, unit };
}

export function readInputs(read: FileReader): Inputs | undefined {
  const names = read.keys(["inputs"]);
  if (names.length === 0) return undefined;
  if (names.length > namesMax) {
    read.problems.at(["inputs"], `a saga has at most ${namesMax} inputs`, { key: true });
  }
  const specs = names.slice(0, namesMax).flatMap((name): [string, InputSpec][] => {
    const spec = readInput(read, ["inputs", name]);
    return spec === undefined ? [] : [[name, spec]];
  });
  return Object.fromEntries(specs);
}

function readInput(read: FileReader, path: Path): InputSpec | undefined {
  const kind = read.text([...path, "kind"]) ?? "number";
  const text = read.text([...path, "text"]);
  const said = text === undefined ? {} : { text };
  const odd = oddKeys(read, path, kind);
  if (odd !== undefined) return undefined;
  if (kind === "number") return numberInput(read, path, said);
  if (kind === "boolean") {
    const given = read.raw([...path, "default"]);
    if (given === undefined || typeof given === "boolean") {
      return { kind, ...said, ...(given === undefined ? {} : { default: given }) };
    }
    return read.problems.at([...path, "default"], "it must be true or false");
  }
  if (kind !== "text") return undefined;
  return textInput(read, path, said);
}

/** Keys that mean nothing for this kind. */
function oddKeys(read: FileReader, path: Path, kind: string): string | undefined {
  const mine = kind === "number" ? ["unit", "min", "max"] : kind === "text" ? ["choices"] : [];
  const all = ["unit", "min", "max", "choices"];
  const odd = all.find((key) => !mine.includes(key) && read.raw([...path, key]) !== undefined);
  if (odd !== undefined) {
    read.problems.at([...path, odd], `an input of kind ${kind} has no ${odd}`, { key: true });
  }
  return odd;
}

function textInput(
  read: FileReader,
  path: Path,
  said: { readonly text?: string },
): InputSpec | undefined {
  const choices = read.texts([...path, "choices"]);
  const given = read.raw([...path, "default"]);
  if (given !== undefined && typeof given !== "string") {
    return read.problems.at([...path, "default"], "it must be a text");
  }
  if (given !== undefined && choices.length > 0 && !choices.includes(given)) {
    const hint = suggestion(given, choices);
    const facts = hint === undefined ? {} : { suggestion: hint };
    return read.problems.at([...path, "default"], `it is none of ${listed(choices)}`, facts);
  }
  const more = choices.length === 0 ? {} : { choices };
  return { kind: "text", ...said, ...more, ...(given === undefined ? {} : { default: given }) };
}

function numberInput(
  read: FileReader,
  path: Path,
  said: { readonly text?: string },
): InputSpec | undefined {
  const unit = unitOf(read, path);
  if (unit === "wrong") return undefined;
  const limit = (key: string, range: { readonly min?: number; readonly max?: number } = {}) => {
    const where = [...path, key];
    const raw = read.raw(where);
    return raw === undefined || typeof raw === "boolean"
      ? undefined
      : read.quantity(where, { unit, ...range });
  };
  const min = limit("min");
  const max = limit("max", min === undefined ? {} : { min });
  const range = {
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
  const given = limit("default", range);
  return {
    kind: "number",
    ...said,
    ...(unit === undefined ? {} : { unit }),
    ...range,
    ...(given === undefined ? {} : { default: given }),
  };
}

/** The base unit, of the key or of the limits; `wrong`: noted. */
function unitOf(read: FileReader, path: Path): string | undefined | "wrong" {
  const written = read.text([...path, "unit"]);
  if (written !== undefined) {
    const quantity = parseQuantity(`1 ${written}`);
    if (quantity.ok) return baseUnits[quantity.dimension];
    const facts = quantity.suggestion === undefined ? {} : { suggestion: quantity.suggestion };
    read.problems.at([...path, "unit"], quantity.message, { value: written, ...facts });
    return "wrong";
  }
  for (const key of ["min", "max", "default"]) {
    const raw = read.raw([...path, key]);
    if (typeof raw !== "string") continue;
    const quantity = parseQuantity(raw);
    if (quantity.ok) return baseUnits[quantity.dimension];
  }
  return undefined;
}

/** What is wrong with a value that an input is given; undefined: nothing. */
export function inputMisfit(spec: InputSpec, value: Value): string | undefined {
  const kinds = { number: "number", boolean: "boolean", string: "text" } as const;
  const kind = kinds[typeof value as keyof typeof kinds];
  if (kind !== spec.kind) return `it must be ${kindText(kindOf(spec))}`;
  if (typeof value === "number") {
    const unit = spec.unit === undefined ? "" : ` ${spec.unit}`;
    if (!Number.isFinite(value)) return "it must be a finite number";
    if (value < (spec.min ?? value)) return `it must be at least ${spec.min}${unit}`;
    if (value > (spec.max ?? value)) return `it must be at most ${spec.max}${unit}`;
  }
  if (typeof value === "string" && spec.choices?.includes(value) === false) {
    return `it must be one of ${listed(spec.choices)}`;
  }
  return undefined;
}

/** The names that the expressions of one saga may use; variables are noted as they are set. */
export class SagaNames {
  readonly inputs: Inputs;
  readonly #reading: FieldLookup;
  /** All that are set anywhere in the saga. */
  readonly #ever: ReadonlySet<string>;
  readonly #known = new Map<string, ValueKind>();
  #event = false;

  constructor(inputs: Inputs, ever: ReadonlySet<string>, reading: FieldLookup) {
    this.inputs = inputs;
    this.#ever = ever;
    this.#reading = reading;
  }

  /** What the names are at this place of the file. */
  names(): ExpressionNames {
    return {
      input: (name) => this.#input(name),
      variable: (name) => this.#variable(name),
      reading: this.#reading,
      event: (name) =>
        this.#event
          ? { kind: "unjudged" }
          : `event.${name} has no value before a step that waits for an event`,
    };
  }

  /** From here on the fields of an event have values. */
  noteEvent(): void {
    this.#event = true;
  }

  /** Notes what a variable is set to; a sentence when it was something else before. */
  note(name: string, kind: ValueKind): string | undefined {
    const before = this.#known.get(name);
    if (before === undefined && this.#known.size >= namesMax) {
      return `a saga has at most ${namesMax} variables`;
    }
    if (before === undefined || before.kind === "unjudged") {
      this.#known.set(name, kind);
      return undefined;
    }
    // A text that is set twice is not the only one that it can be.
    if (before.kind === "text") this.#known.set(name, { kind: "text" });
    if (misfit(kind, before) === undefined) return undefined;
    return `the variable ${name} is ${kindText(before)} further up; this is ${kindText(kind)}`;
  }

  #input(name: string): ValueKind | string {
    const spec = Object.hasOwn(this.inputs, name) ? this.inputs[name] : undefined;
    if (spec !== undefined) return kindOf(spec);
    const names = Object.keys(this.inputs);
    const hint = names.length === 0 ? undefined : suggestion(name, names);
    return `the saga has no input ${name}${hint === undefined ? "" : `; ${hint}`}`;
  }

  #variable(name: string): ValueKind | string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#ever.has(name)) return { kind: "unjudged" };
    const hint = this.#ever.size === 0 ? undefined : suggestion(name, [...this.#ever]);
    return `the variable ${name} is set nowhere${hint === undefined ? "" : `; ${hint}`}`;
  }
}
