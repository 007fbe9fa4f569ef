/**
 * Problems of one file, each at its line and column.
 *
 * The idea: checks name a place by its path in the data (`devices`, `x`, `unit`), the opened
 * document turns it into line and column; one problem a value, in the order of the text. It
 * refuses to stop at the first.
 */
import type { Problem } from "#drivers/device-model.js";
import type { YamlPath, YamlSource } from "#drivers/yaml-source.js";

export type Path = YamlPath;

export interface ProblemFacts {
  readonly value?: string;
  readonly suggestion?: string;
  readonly severity?: "error" | "warning";
  /** Point at the key and not at its value. */
  readonly key?: boolean;
}

export class FileProblems {
  /** What the text holds; the checks take it as it comes. */
  readonly data: unknown;
  readonly #source: YamlSource;
  readonly #found: Problem[] = [];
  readonly #places = new Set<string>();

  constructor(source: YamlSource) {
    this.#source = source;
    this.data = source.value;
  }

  /** Notes a problem; a second one of the same value is not noted. */
  at(path: Path, message: string, facts: ProblemFacts = {}): undefined {
    const { suggestion, severity = "error" } = facts;
    const problem = this.#source.problem(path, message, {
      ...(facts.key === true ? { at: "key" } : {}),
      ...(suggestion === undefined ? {} : { suggestion }),
      severity,
    });
    this.add([facts.value === undefined ? problem : { ...problem, value: facts.value }]);
  }

  add(problems: readonly Problem[]): void {
    for (const problem of problems) {
      const place = `${problem.line}:${problem.column}:${problem.path}`;
      if (!this.#places.has(place)) this.#found.push(problem);
      this.#places.add(place);
    }
  }

  list(): readonly Problem[] {
    return [...this.#found].sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** `x, y, z`: a list of what there is. */
export function listed(names: Iterable<string>): string {
  return [...names].join(", ");
}
