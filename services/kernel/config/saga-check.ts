/**
 * What can be found in a cell's sagas before anything runs, beyond what each step says of itself.
 *
 * The idea: every check is a pure function from a saga, and what the cell is, to findings that
 * name a step and a key; this file runs them all and puts each finding at its line, in the file
 * where the step was written. It refuses to find what depends on what the run meets: that is a
 * warning at most.
 */
import type { CellConfig } from "./cell.js";
import type { DeviceDraft } from "./cell-devices.js";
import type { SagaDefinition } from "./saga.js";
import { checkLocks } from "./saga-check-locks.js";
import { checkParallel } from "./saga-check-parallel.js";
import { checkSteps } from "./saga-check-steps.js";
import { checkVariables } from "./saga-check-variables.js";
import { checkWalk } from "./saga-check-walk.js";
import type { SagaDraft } from "./saga-file.js";
import { noteAt } from "./saga-layout.js";

export interface Finding {
  /** Index of the step. */
  readonly step: number;
  /** The key of the step at which it is shown. @default the step itself */
  readonly key?: string;
  readonly message: string;
  readonly suggestion?: string;
  readonly severity: "error" | "warning";
}

/** What the checks may know of the cell. */
export interface SagaCell {
  readonly devices: readonly DeviceDraft[];
  readonly interlocks: CellConfig["interlocks"];
  readonly sagas: readonly SagaDefinition[];
}

/** All findings of one saga, those of its called ones included. */
export function checkSaga(saga: SagaDefinition, cell: SagaCell): readonly Finding[] {
  return [
    ...checkSteps(saga, cell),
    ...checkParallel(saga, cell),
    ...checkVariables(saga),
    ...checkWalk(saga, cell),
    ...checkLocks(saga, cell),
  ];
}

/** Notes the findings of every saga that could be read, each at its place. */
export function noteFindings(drafts: readonly SagaDraft[], cell: Omit<SagaCell, "sagas">): void {
  const sagas = drafts.flatMap(({ definition }) => definition ?? []);
  for (const { definition, laid } of drafts) {
    if (definition === undefined) continue;
    for (const finding of checkSaga(definition, { ...cell, sagas })) {
      const place = laid.places[finding.step];
      if (place === undefined) continue;
      const { key, message, suggestion, severity } = finding;
      const facts = { severity, ...(suggestion === undefined ? {} : { suggestion }) };
      noteAt(place, key, message, facts);
    }
  }
}
