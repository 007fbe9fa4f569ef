/**
 * What a world has tried of a cell's sagas: which steps ended how, and what was challenged.
 *
 * The idea: a campaign without findings says little unless it says what it went through; so each
 * step is counted by the verdicts of its commands, each makeSafe by the step it ran from, and each
 * interlock by how often its condition was false while a run was open. It refuses to judge.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { TraceLine } from "../judges/trace.js";
import { judgeFacts } from "./judge-facts.js";

type Counts = { [name: string]: number };

export interface Coverage {
  /** `saga/step` → verdict → how often; `none`: no verdict came. */
  readonly steps: { readonly [step: string]: Readonly<Counts> };
  /** `saga/step` from which makeSafe ran → how often. */
  readonly makeSafe: Readonly<Counts>;
  /** Interlock → how often its condition became false, or stood false when a move was asked for. */
  readonly interlocks: Readonly<Counts>;
  /** Ends of runs: `saga: state` → how often. */
  readonly ends: Readonly<Counts>;
}

export function coverageOf(trace: readonly TraceLine[], cell: CellConfig): Coverage {
  const counting = new Counting(cell);
  for (const line of trace) counting.take(line);
  return counting.result();
}

export function addCoverage(a: Coverage, b: Coverage): Coverage {
  const steps: { [step: string]: Counts } = {};
  for (const [step, counts] of [...Object.entries(a.steps), ...Object.entries(b.steps)]) {
    steps[step] = added(steps[step] ?? {}, counts);
  }
  return {
    steps,
    makeSafe: added(a.makeSafe, b.makeSafe),
    interlocks: added(a.interlocks, b.interlocks),
    ends: added(a.ends, b.ends),
  };
}

export const noCoverage: Coverage = { steps: {}, makeSafe: {}, interlocks: {}, ends: {} };

function added(a: Readonly<Counts>, b: Readonly<Counts>): Counts {
  const sum: Counts = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

class Counting {
  readonly #steps = new Map<string, Map<string, number>>();
  readonly #makeSafe = new Map<string, number>();
  readonly #interlocks = new Map<string, number>();
  readonly #ends = new Map<string, number>();
  readonly #sagaOf = new Map<string, string>();
  readonly #intents = new Map<string, string>();
  readonly #positions = new Map<string, number>();
  readonly #held = new Map<string, boolean | undefined>();
  readonly #facts;

  constructor(cell: CellConfig) {
    this.#facts = judgeFacts(cell);
  }

  take(line: TraceLine): void {
    if (line.kind === "run") {
      this.#sagaOf.set(line.run, line.saga);
      if (line.ended) count(this.#ends, `${line.saga}: ${line.state}`);
    } else if (line.kind === "intent") {
      // The run's saga may be published after its first intent: names are put together at the end.
      const step = `${line.run}/${line.step}`;
      this.#intents.set(line.id, step);
      if (line.part === "makeSafe") count(this.#makeSafe, step);
      else this.#verdict(step, "asked");
    } else if (line.kind === "verdict") {
      const step = this.#intents.get(line.id);
      if (step !== undefined) this.#verdict(step, line.verdict);
    } else if (line.kind === "truth") {
      this.#positions.set(line.device, line.position);
      this.#look();
    } else if (line.kind === "command") this.#asked(line.device);
  }

  result(): Coverage {
    const named = (key: string) => {
      const [run = "", ...step] = key.split("/");
      return `${this.#sagaOf.get(run) ?? "?"}/${step.join("/")}`;
    };
    const steps: { [step: string]: Counts } = {};
    for (const [key, counts] of this.#steps) {
      const name = named(key);
      steps[name] = added(steps[name] ?? {}, Object.fromEntries(counts));
    }
    const makeSafe: Counts = {};
    for (const [key, times] of this.#makeSafe) {
      makeSafe[named(key)] = (makeSafe[named(key)] ?? 0) + times;
    }
    return {
      steps,
      makeSafe,
      interlocks: Object.fromEntries(this.#interlocks),
      ends: Object.fromEntries(this.#ends),
    };
  }

  #verdict(step: string, verdict: string): void {
    const counts = this.#steps.get(step) ?? new Map<string, number>();
    this.#steps.set(step, counts);
    count(counts, verdict);
  }

  #look(): void {
    for (const { name, holds } of this.#facts.interlocks) {
      const now = holds((device) => this.#positions.get(device));
      if (this.#held.get(name) !== false && now === false) count(this.#interlocks, name);
      this.#held.set(name, now);
    }
  }

  #asked(device: string): void {
    for (const { name, moves, holds } of this.#facts.interlocks) {
      if (!moves.includes(device)) continue;
      if (holds((other) => this.#positions.get(other)) === false) count(this.#interlocks, name);
    }
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
