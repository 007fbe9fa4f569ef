/**
 * The judge of patience: a run that a person has stopped is commanded again only by a choice.
 *
 * The idea: from the moment when a stop of the whole cell reaches the coordinator, no command of a
 * run of before leaves it, until a person has chosen how that run goes on [PROTOCOL 1]. It refuses
 * to ask what another start of the coordinator knows: that is for the latches of the drivers.
 */
import type { Finding, Judge } from "./judge.js";
import { serviceOf } from "./outages.js";
import { ms } from "./timeline.js";
import type { LineOf, TraceLine } from "./trace.js";
import { movesNothing } from "./triggers.js";

type Found = Omit<Finding, "judge">;

export const stoppedRuns: Judge = {
  name: "stopped-runs",
  promise: "After a person's stop no command of its runs leaves the coordinator without a choice.",
  find(trace: readonly TraceLine[]): readonly Found[] {
    const book = new StopBook();
    const found: Found[] = [];
    for (const line of trace) {
      if (line.kind === "stopHeard") book.heard(line);
      else if (line.kind === "chosen") book.chosen(line.run);
      else if (line.kind === "run") book.seen(line.run);
      else if (line.kind === "intent") book.intended(line);
      else if (line.kind === "killed" && serviceOf(line.node) === "coordinator") book.forget();
      else if (line.kind === "command" && serviceOf(line.from) === "coordinator") {
        const stop = movesNothing.has(line.verb) ? undefined : book.stopOf(line);
        if (stop === undefined) continue;
        const { at, device, id, verb } = line;
        const since = `the stop ${stop.id} was heard of at ${ms(stop.at)}`;
        found.push({ at, device, text: `${device} ${verb} (${id}) left, and ${since}` });
      }
    }
    return found;
  },
};

class StopBook {
  /** Run of each command. */
  readonly #runs = new Map<string, string>();
  readonly #open = new Set<string>();
  readonly #stopped = new Map<string, LineOf<"stopHeard">>();
  readonly #known = new Set<string>();

  /** Only its first arrival is the stop; what follows repeats it. */
  heard(line: LineOf<"stopHeard">): void {
    if (this.#known.has(line.id)) return;
    this.#known.add(line.id);
    for (const run of this.#open) this.#stopped.set(run, line);
  }

  chosen(run: string): void {
    this.#stopped.delete(run);
  }

  seen(run: string): void {
    this.#open.add(run);
  }

  intended({ id, run }: LineOf<"intent">): void {
    this.#runs.set(id, run);
    this.#open.add(run);
  }

  forget(): void {
    this.#stopped.clear();
    this.#known.clear();
  }

  stopOf({ id }: LineOf<"command">): LineOf<"stopHeard"> | undefined {
    return this.#stopped.get(this.#runs.get(id) ?? "");
  }
}
