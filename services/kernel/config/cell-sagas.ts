/**
 * All sagas of a cell, each from its own file.
 *
 * The idea: every file is read and judged even when another is wrong; then what binds them, names
 * and `prepare`, is checked. It refuses two sagas of one name and a circle of preparations.
 */
import { dirname, resolve } from "node:path";
import type { Problem } from "#drivers/device-model.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { SagaDefinition } from "./cell.js";
import type { FileReader } from "./file-reader.js";
import { noteFindings, type SagaCell } from "./saga-check.js";
import { parseSagas, type SagaDraft } from "./saga-file.js";
import type { SagaText } from "./saga-source.js";

export interface ResolvedSagas {
  readonly definitions: readonly SagaDefinition[];
  /** Also of those that are not among the definitions because something is wrong with them. */
  readonly names: readonly string[];
  /** Problems in the saga files; those of the list itself are noted in the cell file. */
  readonly problems: readonly Problem[];
}

/** What a file holds (of a module: what it exports), or why that cannot be read. */
export type ReadText = (file: string) => SagaText | { readonly why: string };

export function resolveSagas(
  read: FileReader,
  cellFile: string,
  cell: Pick<SagaCell, "devices" | "interlocks">,
  readText: ReadText,
): ResolvedSagas {
  const found: (SagaText & { readonly file: string; readonly at: number })[] = [];
  for (const [i, name] of read.texts(["sagas"]).entries()) {
    const file = resolve(dirname(cellFile), name);
    const text = readText(file);
    if ("why" in text) {
      read.problems.at(["sagas", i], `the saga file cannot be read: ${text.why}`);
    } else found.push({ ...text, file, at: i });
  }
  const drafts = parseSagas(found, cell.devices);
  for (const [i, draft] of drafts.entries()) {
    const twin = drafts.slice(0, i).find(({ name }) => name === draft.name && name !== undefined);
    if (twin === undefined) continue;
    const place = ["sagas", found[i]?.at ?? 0];
    read.problems.at(place, `the saga ${draft.name} stands in ${twin.file} too`);
  }
  for (const draft of drafts) checkPrepare(draft, drafts);
  noteFindings(drafts, cell);
  return {
    definitions: drafts.flatMap((draft) => draft.definition ?? []),
    names: drafts.flatMap((draft) => draft.name ?? []),
    problems: drafts.flatMap((draft) => draft.problems()),
  };
}

function checkPrepare(draft: SagaDraft, drafts: readonly SagaDraft[]): void {
  if (draft.prepare === undefined) return;
  const names = drafts.flatMap((one) => one.name ?? []);
  const first = drafts.find((one) => one.name === draft.prepare);
  if (first === undefined) {
    const hint = suggestion(draft.prepare, names);
    const facts = hint === undefined ? {} : { suggestion: hint };
    draft.at(["prepare"], `there is no saga ${draft.prepare} in this cell`, facts);
  } else if (first.prepare !== undefined) {
    draft.at(["prepare"], `${draft.prepare} needs a preparation itself`, {});
  }
}
