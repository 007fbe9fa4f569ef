/**
 * Variables that have no value where they are read.
 *
 * The idea: the tree is walked with what has been set for sure and what may have been set; cases
 * keep what all of them set, a loop may have no turn, and a backup plan is one of two ways. It
 * refuses to call wrong what a later turn of a loop could have set.
 */
import { type Expression, partsOf, type Written } from "./expression.js";
import type { Block, SagaDefinition, SagaStepDefinition } from "./saga.js";
import type { Finding } from "./saga-check.js";

interface Known {
  readonly sure: ReadonlySet<string>;
  readonly maybe: ReadonlySet<string>;
}
const nothing: Known = { sure: new Set(), maybe: new Set() };

export function checkVariables(saga: SagaDefinition): readonly Finding[] {
  const walk = new Walk(saga);
  const roots = saga.steps.flatMap((step, i) => (step.parent === undefined ? [i] : []));
  walk.block(saga.body ?? roots, nothing, false);
  return walk.findings;
}

/** The variables that an expression reads. */
function variablesOf(expression: Expression): readonly string[] {
  return partsOf(expression).flatMap((part) => (part.kind === "variable" ? [part.name] : []));
}

function withSet({ sure, maybe }: Known, name: string): Known {
  return { sure: new Set([...sure, name]), maybe: new Set([...maybe, name]) };
}

/** One of these ways was gone. */
function oneOf(ways: readonly Known[]): Known {
  const [first = nothing, ...others] = ways;
  const sure = [...first.sure].filter((name) => others.every((way) => way.sure.has(name)));
  return { sure: new Set(sure), maybe: new Set(ways.flatMap((way) => [...way.maybe])) };
}

/** All of these were gone. */
function allOf(ways: readonly Known[]): Known {
  const sure = new Set(ways.flatMap((way) => [...way.sure]));
  return { sure, maybe: new Set(ways.flatMap((way) => [...way.maybe])) };
}

class Walk {
  readonly findings: Finding[] = [];
  readonly #saga: SagaDefinition;

  constructor(saga: SagaDefinition) {
    this.#saga = saga;
  }

  /** `inLoop`: a turn before this one may have set what is set further down. */
  block(block: Block, before: Known, inLoop: boolean): Known {
    let known = before;
    for (const index of block) {
      const step = this.#saga.steps[index];
      if (step === undefined) continue;
      const after = this.#step(index, step, known, inLoop);
      const plan = step.orElse;
      known = plan === undefined ? after : oneOf([after, this.block(plan, known, inLoop)]);
    }
    return known;
  }

  #reads(step: number, written: unknown, known: Known, inLoop: boolean): void {
    if (typeof written !== "object" || written === null) return;
    for (const name of variablesOf((written as Written).expression)) {
      if (known.sure.has(name)) continue;
      const open = inLoop || known.maybe.has(name);
      const message = open
        ? `var.${name} may have no value here: it is not set on every way to this step`
        : `var.${name} has no value here: it is set further down`;
      const suggestion = "set it before, at the beginning of the saga";
      this.findings.push({ step, message, suggestion, severity: open ? "warning" : "error" });
    }
  }

  #step(index: number, { action }: SagaStepDefinition, known: Known, inLoop: boolean): Known {
    const reads = (written: unknown, now = known) => this.#reads(index, written, now, inLoop);
    switch (action.kind) {
      case "operation":
        for (const { value } of Object.values(action.operation.worked ?? {})) reads(value);
        return known;
      case "dwell":
        reads(action.forMs);
        return known;
      case "waitFor":
        reads(action.condition);
        return known;
      case "waitForEvent":
        reads(action.event.where);
        return known;
      case "ask":
        return action.as === undefined ? known : withSet(known, action.as);
      case "set":
        return action.variables.reduce((now, { name, value }) => {
          reads(value, now);
          return withSet(now, name);
        }, known);
      case "choose": {
        for (const { when } of action.cases) reads(when);
        const blocks = [...action.cases.map(({ block }) => block), action.otherwise];
        return oneOf(blocks.map((block) => this.block(block, known, inLoop)));
      }
      case "parallel": {
        const ways = action.branches.map((block) => this.block(block, known, inLoop));
        return action.until === "all" ? allOf(ways) : oneOf(ways);
      }
      case "repeat": {
        reads(action.times);
        reads(action.whilst);
        const after = this.block(action.block, known, true);
        const hasTurn = typeof action.times === "number" && action.whilst === undefined;
        return hasTurn ? after : oneOf([known, after]);
      }
      case "call":
        for (const value of Object.values(action.inputs)) reads(value);
        // Its variables are its own.
        this.block(action.block, nothing, false);
        return known;
      case "signal":
        return known;
      default:
        return action satisfies never;
    }
  }
}
