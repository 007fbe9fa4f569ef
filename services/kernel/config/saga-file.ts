/**
 * A saga file: YAML or a module's data in, a saga definition or all its problems out.
 *
 * The idea: every step is judged against the profile and the setup of the device it names, so a
 * saga that loads can be carried out as far as anyone can know beforehand; called sagas are laid
 * out inside it. It refuses a saga that calls itself, by whatever way.
 */
import type { Problem } from "#drivers/device-model.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { DeviceDraft } from "./cell-devices.js";
import { fieldsOf } from "./cell-interlocks.js";
import type { Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import { cellModes, type SagaDefinition } from "./saga.js";
import { type LaidOut, SagaLayout, sagaDepthMax } from "./saga-layout.js";
import { type Inputs, readInputs, SagaNames } from "./saga-names.js";
import { openSaga, type SagaSource, type SagaText } from "./saga-source.js";
import { type CalledSaga, readBlock } from "./saga-steps.js";
import { spareOf, usesOf } from "./saga-uses.js";

/** A saga file as far as it can be read. */
export interface SagaDraft {
  readonly file: string;
  readonly name: string | undefined;
  readonly prepare: string | undefined;
  /** Undefined: something of it, or of a saga that it calls, is wrong. */
  readonly definition: SagaDefinition | undefined;
  /** Its steps, each with its place in its file. */
  readonly laid: LaidOut;
  readonly inputs: Inputs;
  /** Notes a problem found later, from outside the file. */
  at(path: Path, message: string, facts: { readonly suggestion?: string }): void;
  problems(): readonly Problem[];
}

const nothing: LaidOut = { steps: [], places: [], body: [] };

/** One saga by itself; it can call no other. */
export function parseSaga(text: string, file: string, devices: readonly DeviceDraft[]): SagaDraft {
  return parseSagas([{ file, text }], devices)[0] ?? unread(file, []);
}

/** All sagas of a cell, in their order; each may call the others. */
export function parseSagas(
  found: readonly (SagaText & { readonly file: string })[],
  devices: readonly DeviceDraft[],
): readonly SagaDraft[] {
  const opened = found.map(({ file, ...text }) => ({ file, ...openSaga(text as SagaText, file) }));
  const sources = opened.flatMap((one) => (one.ok ? [one.source] : []));
  const book = new SagaBook(sources, devices);
  return opened.map((one) => (one.ok ? book.draft(one.source) : unread(one.file, one.problems)));
}

function unread(file: string, problems: readonly Problem[]): SagaDraft {
  return {
    file,
    name: undefined,
    prepare: undefined,
    definition: undefined,
    laid: nothing,
    inputs: {},
    at: () => {},
    problems: () => problems,
  };
}

/** Resolves each saga once, those that are called before their callers. */
class SagaBook {
  readonly #sources: readonly SagaSource[];
  readonly #devices: readonly DeviceDraft[];
  readonly #drafts = new Map<SagaSource, SagaDraft>();
  /** Sagas that are being resolved, the outermost first. */
  readonly #open: SagaSource[] = [];

  constructor(sources: readonly SagaSource[], devices: readonly DeviceDraft[]) {
    this.#sources = sources;
    this.#devices = devices;
  }

  draft(source: SagaSource): SagaDraft {
    const known = this.#drafts.get(source);
    if (known !== undefined) return known;
    this.#open.push(source);
    const draft = this.#resolve(source);
    this.#open.pop();
    this.#drafts.set(source, draft);
    return draft;
  }

  #resolve(source: SagaSource): SagaDraft {
    const { read, file, name } = source;
    const inputs = readInputs(read) ?? {};
    const layout = new SagaLayout();
    const names = new SagaNames(inputs, variablesOf(read), fieldsOf(this.#devices));
    let isWhole = true;
    const called = (other: string, path: Path): CalledSaga | undefined => {
      const saga = this.#called(source, other, path);
      if (saga?.definition === undefined) isWhole = false;
      return saga === undefined ? undefined : { name: other, inputs: saga.inputs, laid: saga.laid };
    };
    const context = {
      read,
      devices: this.#devices,
      names,
      layout,
      called,
      taken: new Set<string>(),
    };
    const body = readBlock(context, ["steps"], undefined);
    const deep = layout.tooDeep();
    if (deep !== undefined) {
      const said = `more than ${sagaDepthMax} steps inside each other, called sagas included`;
      deep.read.problems.at(deep.path, said);
    }
    const laid = { steps: layout.steps, places: layout.places, body };
    const head = this.#head(source, laid, inputs);
    const { problems } = read;
    const isGood =
      isWhole && layout.isWhole && problems.list().every(({ severity }) => severity !== "error");
    return {
      file,
      name,
      prepare: read.text(["prepare"]),
      definition: isGood ? head : undefined,
      laid,
      inputs,
      at: (path, message, facts) => problems.at(path, message, facts),
      problems: () => problems.list(),
    };
  }

  #called(from: SagaSource, name: string, path: Path): SagaDraft | undefined {
    const source = this.#sources.find((one) => one.name === name);
    if (source === undefined) {
      const known = this.#sources.flatMap((one) => one.name ?? []);
      const hint = suggestion(name, known);
      const facts = hint === undefined ? {} : { suggestion: hint };
      return from.read.problems.at(path, `there is no saga ${name} in this cell`, facts);
    }
    const begin = this.#open.indexOf(source);
    if (begin === -1) return this.draft(source);
    const way = [...this.#open.slice(begin), source].map((one) => one.name).join(" → ");
    return from.read.problems.at(path, `a saga cannot call itself: ${way}`);
  }

  #head(source: SagaSource, laid: LaidOut, inputs: Inputs): SagaDefinition | undefined {
    const { read, name, file, version } = source;
    const { steps, body } = laid;
    const uses = usesOf(read, steps, this.#devices);
    const safeFirst = safeFirstOf(read, laid);
    if (name === undefined) return undefined;
    const spare = spareOf(uses, steps);
    const prepare = read.text(["prepare"]);
    const mode = cellModes.find((one) => one === read.raw(["mode"]));
    const priority = read.whole(["priority"]);
    return {
      name,
      title: read.text(["title"]) ?? name,
      version,
      file,
      uses,
      ...(spare.length === 0 ? {} : { spare }),
      ...(prepare === undefined ? {} : { prepare }),
      onRestart: read.raw(["onRestart"]) === "resume" ? "resume" : "makeSafe",
      ...(mode === undefined ? {} : { mode }),
      ...(priority === undefined ? {} : { priority }),
      ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
      ...(body.length === steps.length ? {} : { body }),
      ...(safeFirst.length === 0 ? {} : { safeFirst }),
      steps,
    };
  }
}

/** The variables that any step sets; what they are is found on the way. */
function variablesOf(read: FileReader): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (path: Path): void => {
    for (const key of read.keys([...path, "set"])) found.add(key);
    const as = read.text([...path, "ask", "as"]);
    if (as !== undefined) found.add(as);
    for (const list of [["orElse"], ["otherwise"], ["repeat", "steps"]]) steps([...path, ...list]);
    for (const name of read.keys([...path, "parallel", "branches"])) {
      steps([...path, "parallel", "branches", name]);
    }
    for (let i = 0; i < read.length([...path, "choose"]); i += 1) {
      steps([...path, "choose", i, "steps"]);
    }
  };
  const steps = (path: Path): void => {
    for (let i = 0; i < read.length(path); i += 1) walk([...path, i]);
  };
  steps(["steps"]);
  return found;
}

/** Names of steps that are made safe first; each must be one whose makeSafe does something. */
function safeFirstOf(read: FileReader, { steps }: LaidOut): readonly string[] {
  const names = read.texts(["safeFirst"]);
  for (const [i, name] of names.entries()) {
    const path = ["safeFirst", i];
    const step = steps.find((one) => one.name === name);
    if (step === undefined) {
      const known = steps.flatMap((one) => (one.makeSafe.kind === "operations" ? [one.name] : []));
      const hint = suggestion(name, known);
      const facts = hint === undefined ? {} : { suggestion: hint };
      read.problems.at(path, `there is no step ${name} in this saga`, facts);
    } else if (step.makeSafe.kind !== "operations") {
      const said = `the makeSafe of ${name} commands nothing, so it cannot come first`;
      read.problems.at(path, said, { severity: "warning" });
    } else if (names.indexOf(name) !== i) read.problems.at(path, `${name} stands twice`);
  }
  return names;
}
