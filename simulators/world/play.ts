/**
 * Plays one seed: a cell is started, things go wrong, everything is mended, and judges read.
 *
 * The idea: two acts. In the first the plan strikes while people work; in the second nothing goes
 * wrong any more, and a patient person brings the cell back: every run must end, every latch must
 * be reset, and the cell must work once more. The outcome has all that a report needs. Call it
 * from a fresh macrotask: promises are drained inside. It refuses real time and real I/O.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { StateAxis } from "#kernel/contract/payloads.js";
import { judge } from "../judges/all.js";
import { energyPress } from "../judges/disarmed.js";
import type { Finding, JudgeFacts } from "../judges/judge.js";
import { linesOf, type TraceLine } from "../judges/trace.js";
import { Act } from "./act.js";
import { CellWorld, type WorldParts } from "./cell-world.js";
import { EnergyCheck } from "./energy-check.js";
import { type Fault, planFacts, planFaults } from "./fault-plan.js";
import { Finger } from "./finger.js";
import { judgeFacts } from "./judge-facts.js";
import { Operator } from "./operator.js";
import { takeRejections } from "./own-turn.js";
import { lastState } from "./world-watch.js";

/** Times in virtual ms. */
export interface PlayOptions {
  readonly seed: number;
  readonly cell: CellConfig;
  readonly parts: WorldParts;
  /** How long things may go wrong. @default 240 000 */
  readonly faultsMs?: number;
  /** Average number of faults, presses apart. @default 14 */
  readonly faults?: number;
  /** Average number of presses. @default 16 */
  readonly presses?: number;
  /** How long a patient person has to bring the cell back. @default 120 000 */
  readonly healMs?: number;
  /** Instead of the plan of the seed. */
  readonly plan?: readonly Fault[];
  /** Starts are among the plan's presses. @default true */
  readonly starts?: boolean;
  /** Buttons are held among the plan's presses. @default true */
  readonly jogs?: boolean;
  /** Every axis is switched off and on at the end, and watched. @default true */
  readonly energy?: boolean;
  /** Starts sagas besides the plan's presses. @default true */
  readonly work?: boolean;
  /** The sagas themselves are judged, too. @default false */
  readonly recipes?: boolean;
  /** Rest between two sagas of the day's work, ms. @default 8000 to 50 000 */
  readonly restMs?: readonly [number, number];
  /** Only these sagas are started. @default all */
  readonly sagas?: readonly string[];
  /** Changes a world before it starts, for mutations. */
  readonly prepare?: (world: CellWorld) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly plan: readonly Fault[];
  readonly findings: readonly Finding[];
  readonly trace: readonly TraceLine[];
  readonly virtualMs: number;
  readonly counts: PlayCounts;
  /** How often each kind of fault struck; presses under `press`. */
  readonly faults: ReadonlyMap<string, number>;
}

export interface PlayCounts {
  readonly kills: number;
  readonly stops: number;
  readonly motions: number;
  readonly runs: number;
  /** Presses of a button that were proved. */
  readonly jogs: number;
  /** Virtual ms in which an axis was lent, summed over the axes. */
  readonly leasedMs: number;
}

export const faultsMsUsual = 240_000;
const usual = { faultsMs: faultsMsUsual, faults: 14, presses: 16, healMs: 120_000 } as const;
const startMs = 1500;
/** Between two sagas, and between two looks at a cell that does not stand ready. */
const restMs = [8000, 50_000] as const;
const lookMs = [1000, 6000] as const;
/** Wires, sessions and breakers find each other again. */
const settleMs = 4000;
/** A connection to the broker stands by then. */
const connectMs = 300;

export function playWorld(options: PlayOptions): Outcome {
  const world = new CellWorld(options.seed, options.cell, options.parts);
  const restore = world.install();
  const listen = takeRejections((thrown) => world.crashed(world.clock.owner, thrown));
  try {
    return new Play(world, options).run();
  } finally {
    listen();
    restore();
  }
}

class Play {
  readonly #world: CellWorld;
  readonly #options: PlayOptions;
  readonly #operator: Operator;
  readonly #act: Act;
  /** Nobody starts anything any more. */
  #resting = false;

  constructor(world: CellWorld, options: PlayOptions) {
    this.#world = world;
    this.#options = options;
    const { clock, broker, stopSockets, random, messageFaults: faults, emit } = world;
    const note = (what: string, text: string) => {
      emit({ at: clock.nowMs, kind: "pressed", what, text });
    };
    const gateway = () => world.pressDesk();
    const fingers = { clock, random, faults, emit, gateway };
    this.#operator = clock.as("operator", () => {
      return new Operator({
        link: broker.open("operator"),
        fanOut: stopSockets.fanOut("operator"),
        newId: world.newId,
        schedule: (ms, run) => void clock.schedule(ms, run, "operator"),
        note,
        finger: (press) => new Finger({ ...fingers, note }, press, world.newId()),
      });
    });
    this.#act = new Act(world, this.#operator);
    options.prepare?.(world);
  }

  run(): Outcome {
    const plan = this.#plan();
    this.#actOne(plan);
    const healedMs = this.#actTwo();
    this.#lookForEnergy();
    this.#last();
    const { trace, clock, config } = this.#world;
    const facts: JudgeFacts = judgeFacts(config, {
      healedMs,
      endMs: clock.nowMs,
      recipes: this.#options.recipes === true,
    });
    const { seed } = this.#options;
    const counts = countsOf(trace, clock.nowMs);
    const findings = [...judge(trace, facts), ...crashesOf(trace), ...this.#unhealed()];
    return {
      seed,
      plan,
      findings,
      trace,
      virtualMs: clock.nowMs,
      counts,
      faults: this.#act.counts,
    };
  }

  #plan(): readonly Fault[] {
    const { seed, cell, plan, sagas } = this.#options;
    if (plan !== undefined) return plan;
    const { faultsMs = usual.faultsMs, faults = usual.faults } = this.#options;
    const presses = this.#options.presses ?? usual.presses;
    const facts = { ...planFacts(cell), bytes: this.#options.parts.makeWire !== undefined };
    const named = sagas === undefined ? facts : { ...facts, sagas };
    const { starts = true, jogs = true } = this.#options;
    return planFaults(named, { seed, forMs: faultsMs, faults, presses, starts, jogs });
  }

  #actOne(plan: readonly Fault[]): void {
    const { clock, names } = this.#world;
    for (const name of names) this.#world.start(name);
    clock.run(startMs);
    this.#prepareCell();
    this.#act.schedule(plan);
    if (this.#options.work !== false) this.#work();
    clock.run(clock.nowMs + (this.#options.faultsMs ?? usual.faultsMs));
  }

  /** Axes are homed first, or most starts would be refused and nothing could be interrupted. */
  #prepareCell(): void {
    const { clock, config } = this.#world;
    const first = new Set(config.sagas.flatMap(({ prepare }) => prepare ?? []));
    for (const saga of first) {
      const run = clock.as("operator", () => this.#operator.start(saga));
      const ended = () => this.#operator.runs.some((one) => one.run === run && one.endedAt);
      clock.run(clock.nowMs + 30_000, ended);
    }
  }

  /** The day's work: a saga now and then, and a person who brings a stopped cell back. */
  #work(): void {
    const { clock, random, config } = this.#world;
    const first = new Set(config.sagas.flatMap(({ prepare }) => prepare ?? []));
    const names = this.#options.sagas ?? config.sagas.map(({ name }) => name);
    const products = names.filter((name) => !first.has(name));
    const again = () => {
      if (this.#resting) return;
      // What failed may have left an axis without power or home: first things first.
      const failed = this.#operator.newest?.state !== "completed";
      const prepare = failed ? random.pick([...first]) : undefined;
      if (!this.#quiet()) this.#operator.tidyUp();
      else if (this.#operator.usualMode())
        this.#operator.start(prepare ?? random.pick(products) ?? names[0] ?? "");
      const rest = this.#options.restMs ?? restMs;
      const [least, most] = this.#quiet() ? rest : lookMs;
      clock.schedule(random.between(least, most), again, "operator");
    };
    clock.schedule(random.between(0, 2000), again, "operator");
  }

  #actTwo(): number {
    const { clock } = this.#world;
    this.#resting = true;
    this.#operator.resting = true;
    this.#act.heal();
    const healedMs = clock.nowMs;
    clock.run(clock.nowMs + settleMs);
    const end = clock.nowMs + (this.#options.healMs ?? usual.healMs);
    while (clock.nowMs < end && !this.#quiet()) {
      clock.as("operator", () => this.#operator.tidyUp());
      clock.run(clock.nowMs + 500);
    }
    clock.run(clock.nowMs + 500);
    return healedMs;
  }

  /** A cell that nobody has brought back is not switched on. */
  #lookForEnergy(): void {
    const { clock, config, broker, newId, emit } = this.#world;
    if (!this.#quiet() || this.#options.energy === false) return;
    const link = clock.as("tool", () => broker.open("tool"));
    clock.run(clock.nowMs + connectMs);
    emit({ at: clock.nowMs, kind: "pressed", what: energyPress, text: "off and on, all axes" });
    new EnergyCheck({ clock, config, link, newId }).run();
  }

  #quiet(): boolean {
    const { cell, open, stops } = this.#operator;
    return ["Idle", "Complete"].includes(cell) && open.length === 0 && stops.length === 0;
  }

  #unhealed(): readonly Finding[] {
    if (this.#quiet()) return [];
    const { cell, open, stops } = this.#operator;
    const runs = open.map(({ run, state }) => `${run} ${state}`).join(", ");
    const text = `a patient person did not bring the cell back: it is ${cell}, open: ${runs || "none"}, stops: ${stops.join(", ") || "none"}`;
    return [{ judge: "liveness", at: this.#world.clock.nowMs, text }];
  }

  /** What is said of each device at the end, beside what is true, and what is left over. */
  #last(): void {
    const { broker, plants, clock, config, emit } = this.#world;
    const at = clock.nowMs;
    for (const device of plants.ids) {
      const said = broker.retained(`state/axis/${device}`) as StateAxis | undefined;
      const { position: _, ...placeless } = said ?? {};
      const known = plants.hasPlace(device) ? said : placeless;
      emit(lastState(at, device, known, plants.truth(device)));
      const { lease, latched } = said ?? {};
      if (lease !== undefined) {
        emit({ at, kind: "leftOver", what: "lease", text: `${device}: ${JSON.stringify(lease)}` });
      }
      for (const id of latched ?? []) {
        emit({ at, kind: "leftOver", what: "latch", text: `${device}: stop ${id}` });
      }
    }
    for (const { run, state } of this.#operator.open) {
      emit({ at, kind: "leftOver", what: "run", text: `${config.cell}: ${run} is ${state}` });
    }
    this.#locks();
  }

  #locks(): void {
    const { clock, emit } = this.#world;
    const store = this.#world.disk("coordinator");
    const look = store.tx([{ sql: "SELECT device, run FROM locks" }], { durable: false });
    void look.then(([rows]) => {
      for (const { device, run } of rows ?? []) {
        const text = `${device} is locked by ${run}`;
        emit({ at: clock.nowMs, kind: "leftOver", what: "lock", text });
      }
    });
    clock.run(clock.nowMs + 5);
  }
}

/** A service may end itself only where another has taken its place. */
function crashesOf(trace: readonly TraceLine[]): readonly Finding[] {
  return linesOf(trace, "crashed").flatMap(({ at, node, code, text }) => {
    return code === "STORE_FENCED" ? [] : [{ judge: "crash", at, text: `${node}: ${text}` }];
  });
}

function countsOf(trace: readonly TraceLine[], endMs: number): PlayCounts {
  const counts = { kills: 0, stops: 0, motions: 0, runs: 0, jogs: 0, leasedMs: 0 };
  const since = new Map<string, number>();
  const holds = new Set<string>();
  const end = (device: string, at: number) => {
    const from = since.get(device);
    since.delete(device);
    if (from !== undefined) counts.leasedMs += at - from;
  };
  for (const line of trace) {
    if (line.kind === "killed") counts.kills += 1;
    else if (line.kind === "stopDelivered") counts.stops += 1;
    else if (line.kind === "motion" && line.moving) counts.motions += 1;
    else if (line.kind === "run" && line.ended) counts.runs += 1;
    else if (line.kind === "verdict" && holds.has(line.id)) counts.jogs += 1;
    else if (line.kind === "holdSaid") holds.add(line.hold);
    else if (line.kind === "lease") {
      end(line.device, line.at);
      if (line.change === "granted") since.set(line.device, line.at);
    }
  }
  for (const device of [...since.keys()]) end(device, endMs);
  return counts;
}
