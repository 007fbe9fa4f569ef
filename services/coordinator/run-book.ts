/**
 * The runs that this process has in memory, sorted by what may still happen to them.
 *
 * The idea: a start is in the book before it is on the disk, so that a stop reaches it; but until
 * then it is not among the runs that anybody is told of, because there may never be such a run. It
 * refuses to change a run.
 */
import { isActive, isEnded, type Run } from "./run-state.js";

interface Lists {
  /** All that are on the disk. */
  readonly runs: readonly Run[];
  readonly open: readonly Run[];
  readonly active: readonly Run[];
}

export class RunBook {
  readonly #runs = new Map<string, Run>();
  readonly #unwritten = new Set<string>();
  /** Commands whose intent is on its way to the disk: they leave when it is there. */
  readonly intents = new Set<string>();
  /** Until the next change: it is asked for many times in between. */
  #lists: Lists | undefined;

  get(run: string): Run | undefined {
    return this.#runs.get(run);
  }

  set(run: Run): void {
    this.#runs.set(run.run, run);
    this.#lists = undefined;
  }

  delete(run: string): void {
    this.#runs.delete(run);
    this.written(run);
  }

  /** Its start is on the way to the disk. */
  unwritten(run: string): void {
    this.#unwritten.add(run);
    this.#lists = undefined;
  }

  written(run: string): void {
    this.#unwritten.delete(run);
    this.#lists = undefined;
  }

  isWritten(run: string): boolean {
    return !this.#unwritten.has(run);
  }

  get lists(): Lists {
    if (this.#lists !== undefined) return this.#lists;
    const all = [...this.#runs.values()];
    const open = all.filter((run) => !isEnded(run));
    const runs = all.filter(({ run }) => this.isWritten(run));
    this.#lists = { runs, open, active: open.filter(isActive) };
    return this.#lists;
  }
}
