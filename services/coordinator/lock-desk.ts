/**
 * Devices of runs as locks: who has them, and who is next.
 *
 * The idea: a run has its devices from its first lease to its end; runs that wait stand in line by
 * priority, then by age, and one takes its devices when no run before it has or wants any of them.
 * It refuses to hand out part of what a run wants.
 */
import type { RunDesk } from "./run-desk.js";
import type { Run } from "./run-state.js";
import { heldDevices } from "./run-view.js";

/** @default priority of a saga */
const priorityDefault = 5;

export interface Taken {
  readonly run: string;
  readonly saga: string;
  readonly devices: readonly string[];
}

export class LockDesk {
  readonly #runs: () => RunDesk;
  #asked = false;
  #open = false;

  constructor(runs: () => RunDesk) {
    this.#runs = runs;
  }

  /** The first run that has one of these devices, or waits for one; undefined: all are free. */
  taken(devices: readonly string[]): Taken | undefined {
    for (const run of this.#runs().open) {
      const theirs = wantedBy(run);
      const shared = theirs.filter((device) => devices.includes(device));
      if (shared.length > 0) return { run: run.run, saga: run.saga.name, devices: shared };
    }
    return undefined;
  }

  /** After a start: it has been ruled what may go on by itself [PROTOCOL 1]. */
  open(): void {
    this.#open = true;
    this.look();
  }

  /** There is news of a run: whoever waits may be next. */
  look(): void {
    if (this.#asked || !this.#open) return;
    this.#asked = true;
    queueMicrotask(() => {
      this.#asked = false;
      this.#grant();
    });
  }

  #grant(): void {
    const { open } = this.#runs();
    const line = open.filter((run) => run.phase.at === "waiting").sort(byTurn);
    const spokenFor = new Set(open.flatMap((run) => heldDevices(run)));
    for (const run of line) {
      const wanted = wantedBy(run);
      const free = wanted.every((device) => !spokenFor.has(device));
      for (const device of wanted) spokenFor.add(device);
      if (free) this.#runs().feed(run.run, { kind: "locked" });
    }
  }
}

function wantedBy(run: Run): readonly string[] {
  return run.phase.at === "waiting" ? run.phase.want : heldDevices(run);
}

function byTurn(a: Run, b: Run): number {
  const rank = (run: Run) => run.saga.priority ?? priorityDefault;
  return rank(b) - rank(a) || a.startedTs - b.startedTs || (a.run < b.run ? -1 : 1);
}
