/**
 * A saga's tree, laid out flat while its file is read.
 *
 * The idea: a step takes its number when it is met, before what stands in it, so numbers follow
 * the file; beside each step stands where it was written, for whoever finds something later. The
 * steps of a called saga are copied in behind the call, under its name. It refuses more steps, and
 * more containers inside each other, than a person can follow.
 */
import type { Path, ProblemFacts } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { Block, SagaAction, SagaStepDefinition } from "./saga.js";

/** Steps of a saga, those of called ones included. */
export const sagaStepsMax = 500;
/** Containers inside each other, calls and backup plans included. */
export const sagaDepthMax = 8;

/** Where a step stands. */
export interface StepPlace {
  readonly read: FileReader;
  readonly path: Path;
}

/** Steps with their places; `body` are those that the saga runs in turn. */
export interface LaidOut {
  readonly steps: readonly SagaStepDefinition[];
  readonly places: readonly StepPlace[];
  readonly body: Block;
}

/** Stands for a step until it is known what it is, and for one that is wrong. */
const blank: SagaStepDefinition = {
  name: "",
  text: "",
  timeoutMs: 0,
  action: { kind: "set", variables: [] },
  makeSafe: { kind: "none" },
};

export class SagaLayout {
  readonly steps: SagaStepDefinition[] = [];
  readonly places: StepPlace[] = [];
  #isFull = false;

  /** The number of the next step; undefined: there are too many, which is noted once. */
  reserve(place: StepPlace): number | undefined {
    if (this.steps.length >= sagaStepsMax) return this.#full(place);
    this.steps.push(blank);
    this.places.push(place);
    return this.steps.length - 1;
  }

  /** Every step has turned out to be one. */
  get isWhole(): boolean {
    return this.steps.every((step) => step !== blank);
  }

  fill(index: number, step: SagaStepDefinition): void {
    this.steps[index] = step;
  }

  /** Copies a called saga in; its steps that have no parent get `parent`. */
  copy(
    called: LaidOut,
    { call, parent, place }: { call: string; parent: number; place: StepPlace },
  ): Block {
    const offset = this.steps.length;
    if (offset + called.steps.length > sagaStepsMax) {
      this.#full(place);
      return [];
    }
    for (const step of called.steps) this.steps.push(moved(step, { call, parent, offset }));
    this.places.push(...called.places);
    return called.body.map((index) => index + offset);
  }

  /** The first step that stands too deep. */
  tooDeep(): StepPlace | undefined {
    const depths: number[] = [];
    for (const [i, { parent }] of this.steps.entries()) {
      depths.push(parent === undefined ? 0 : (depths[parent] ?? 0) + 1);
      if ((depths[i] ?? 0) > sagaDepthMax) return this.places[i];
    }
    return undefined;
  }

  #full({ read, path }: StepPlace): undefined {
    if (!this.#isFull) {
      const said = `a saga has at most ${sagaStepsMax} steps, called ones included`;
      read.problems.at(path, said);
    }
    this.#isFull = true;
  }
}

interface Move {
  readonly call: string;
  readonly parent: number;
  readonly offset: number;
}

function moved(step: SagaStepDefinition, { call, parent, offset }: Move): SagaStepDefinition {
  const shift = (block: Block): Block => block.map((index) => index + offset);
  const { orElse, ...rest } = step;
  return {
    ...rest,
    name: `${call}/${step.name}`,
    action: shifted(step.action, shift),
    ...(orElse === undefined ? {} : { orElse: shift(orElse) }),
    parent: step.parent === undefined ? parent : step.parent + offset,
  };
}

function shifted(action: SagaAction, shift: (block: Block) => Block): SagaAction {
  switch (action.kind) {
    case "parallel":
      return { ...action, branches: action.branches.map(shift) };
    case "choose": {
      const cases = action.cases.map(({ when, block }) => ({ when, block: shift(block) }));
      return { ...action, cases, otherwise: shift(action.otherwise) };
    }
    case "repeat":
    case "call":
      return { ...action, block: shift(action.block) };
    case "operation":
    case "dwell":
    case "waitFor":
    case "waitForEvent":
    case "signal":
    case "ask":
    case "set":
      return action;
    default:
      return action satisfies never;
  }
}

/** A problem at a step, or at one of its keys. */
export function noteAt(
  { read, path }: StepPlace,
  key: string | undefined,
  message: string,
  facts: ProblemFacts = {},
): void {
  const where = key === undefined || read.raw([...path, key]) === undefined ? path : [...path, key];
  read.problems.at(where, message, facts);
}
