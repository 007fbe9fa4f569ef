/**
 * The judge of recipes: a saga whose makeSafe cannot do what it promises, or forgets something.
 *
 * The idea: the other judges watch the product; this one watches what an integrator wrote. A
 * makeSafe that meets an interlock that is truly false, on a day when nothing else ails the
 * devices that it asks, is a mistake of the saga; and so is a part that a step has gripped, that
 * has no makeSafe, and that is still held when the failed run has ended. It refuses to judge where
 * a device was ill: then nobody could have done better.
 */
import type { Finding, Judge, JudgedInterlock, JudgedSaga, JudgeFacts } from "./judge.js";
import type { LineOf, TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

/** Devices are taken to be ill for so long after a fault began, ms. */
const illMs = 20_000;

export const recipes: Judge = {
  name: "recipes",
  promise: "Each makeSafe of a saga can be carried out, and nothing that it took is forgotten.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const { sagas } = facts;
    return sagas === undefined ? [] : new Reading(sagas, facts).read(trace);
  },
};

interface Asked {
  readonly run: string;
  readonly step: string;
  readonly part: string;
}

class Reading {
  readonly #sagas: ReadonlyMap<string, JudgedSaga>;
  readonly #facts: JudgeFacts;
  readonly #sagaOf = new Map<string, string>();
  readonly #asked = new Map<string, Asked>();
  readonly #positions = new Map<string, number>();
  readonly #illUntil = new Map<string, number>();
  /** What a run has gripped: device → the step that did. */
  readonly #taken = new Map<string, Map<string, string>>();
  readonly #found: Found[] = [];

  constructor(sagas: readonly JudgedSaga[], facts: JudgeFacts) {
    this.#sagas = new Map(sagas.map((saga) => [saga.name, saga]));
    this.#facts = facts;
  }

  read(trace: readonly TraceLine[]): readonly Found[] {
    for (const line of trace) this.#take(line);
    return this.#found;
  }

  #take(line: TraceLine): void {
    switch (line.kind) {
      case "truth":
        this.#positions.set(line.device, line.position);
        return;
      case "fault":
        for (const device of [line.device, ...(line.reach?.devices ?? [])]) {
          if (device !== undefined) this.#illUntil.set(device, line.at + illMs);
        }
        return;
      case "intent":
        this.#asked.set(line.id, line);
        return;
      case "verdict":
        this.#verdict(line);
        return;
      case "run":
        this.#run(line);
        return;
      default:
    }
  }

  #verdict(line: LineOf<"verdict">): void {
    const asked = this.#asked.get(line.id);
    if (asked === undefined) return;
    if (line.verdict === "done") this.#grips(asked, line.device);
    const refused = line.verdict === "refused" && line.code === "INTERLOCKED";
    if (asked.part !== "makeSafe" || !refused) return;
    const { interlocks } = this.#facts;
    const broken = interlocks.find((one) => this.#stands(one, line));
    if (broken === undefined) return;
    const where = [...this.#positions].map(([device, at]) => `${device} ${at.toFixed(1)}`);
    const text = `makeSafe of ${this.#sagaOf.get(asked.run) ?? "?"}/${asked.step} was refused: ${broken.name} forbids it (${where.join(", ")})`;
    this.#found.push({ at: line.at, device: line.device, text });
  }

  /** The interlock is false on true positions, and nobody that it asks was ill. */
  #stands({ moves, holds }: JudgedInterlock, { at, device }: LineOf<"verdict">): boolean {
    if (!moves.includes(device)) return false;
    const asked: string[] = [device];
    const value = holds((other) => {
      asked.push(other);
      return this.#positions.get(other);
    });
    return value === false && asked.every((one) => (this.#illUntil.get(one) ?? 0) < at);
  }

  #grips({ run, step, part }: Asked, device: string): void {
    const saga = this.#sagas.get(this.#sagaOf.get(run) ?? "");
    const known = saga?.steps.find(({ name }) => name === step);
    const taken = this.#taken.get(run) ?? new Map<string, string>();
    this.#taken.set(run, taken);
    const verb = known?.device === device ? known.verb : undefined;
    if (part === "run" && verb === "grip" && known?.makeSafe === "none") taken.set(device, step);
    else if (verb === "release" || part === "makeSafe") taken.delete(device);
  }

  #run({ at, run, saga, state }: LineOf<"run">): void {
    this.#sagaOf.set(run, saga);
    if (state !== "madeSafe") return;
    for (const [device, step] of this.#taken.get(run) ?? []) {
      if ((this.#illUntil.get(device) ?? 0) >= at) continue;
      const text = `the run ${run} was made safe, and ${device} still holds what ${saga}/${step} gripped: the step has no makeSafe`;
      this.#found.push({ at, device, text });
    }
    this.#taken.delete(run);
  }
}
