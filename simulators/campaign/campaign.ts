/**
 * Plays many seeds on several threads and adds up what came of them.
 *
 * The idea: a thread gets its next seed when it has answered; failing seeds are shrunk at the end,
 * a few of them, and told with a timeline. All totals are of virtual time but one, how long it
 * took. It refuses to print: who asks gets events.
 */
import { Worker } from "node:worker_threads";
import type { CellConfig } from "#kernel/config/cell.js";
import { addCoverage, type Coverage, noCoverage } from "../world/coverage.js";
import type { Fault } from "../world/fault-plan.js";
import type { DeepWorlds, DepthWish } from "./depths.js";
import type { SeedReport, Setting, WorkerData, WorkerTask } from "./seed-worker.js";

export interface CampaignOptions {
  readonly cell: CellConfig;
  readonly setting: Setting;
  readonly deep: DeepWorlds;
  readonly depth: DepthWish;
  /** The setting is that of a deep world already, as a seed file has it. @default false */
  readonly exact?: boolean;
  readonly firstSeed: number;
  /** Seeds to play; Infinity: until the time is over. */
  readonly seeds: number;
  /** Real time after which no seed is begun, ms. */
  readonly forMs?: number;
  readonly threads: number;
  /** Failing seeds that are shrunk, each with another kind of finding. @default 3 */
  readonly shrinkMax?: number;
  /** Worlds that may be played to shrink one. @default 120 */
  readonly attemptsMax?: number;
  /** Once something is found, no seed is begun after this real time, ms. @default all are */
  readonly enoughMs?: number;
  /** Plays this plan instead of that of the seed. */
  readonly plan?: readonly Fault[];
  readonly onSeed?: (report: SeedReport, totals: Totals) => void;
}

export interface Totals {
  seeds: number;
  violations: number;
  virtualMs: number;
  leasedMs: number;
  kills: number;
  stops: number;
  motions: number;
  runs: number;
  jogs: number;
  realMs: number;
  /** Worlds by their depth. */
  readonly depths: Map<string, number>;
  readonly faults: Map<string, number>;
  coverage: Coverage;
}

export interface CampaignResult {
  readonly totals: Totals;
  /** Failing seeds, shrunk, one of each kind of finding. */
  readonly shrunk: readonly SeedReport[];
  /** The other failing seeds, as they were. */
  readonly others: readonly SeedReport[];
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const campaign = new Campaign(options);
  try {
    return await campaign.run();
  } finally {
    await campaign.close();
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #workers: Worker[];
  readonly #failures: SeedReport[] = [];
  readonly #totals: Totals = {
    seeds: 0,
    violations: 0,
    virtualMs: 0,
    leasedMs: 0,
    kills: 0,
    stops: 0,
    motions: 0,
    runs: 0,
    jogs: 0,
    realMs: 0,
    depths: new Map(),
    faults: new Map(),
    coverage: noCoverage,
  };
  #begun = 0;
  readonly #startedMs = performance.now();

  constructor(options: CampaignOptions) {
    this.#options = options;
    const { cell, setting, deep, depth, exact = false, threads } = options;
    const data: WorkerData = { cell, setting, deep, depth, exact };
    this.#workers = Array.from({ length: Math.max(1, threads) }, () => {
      return new Worker(new URL("./seed-worker.js", import.meta.url), { workerData: data });
    });
  }

  async run(): Promise<CampaignResult> {
    await Promise.all(this.#workers.map((worker) => this.#drive(worker)));
    this.#totals.realMs = performance.now() - this.#startedMs;
    return { totals: this.#totals, ...(await this.#shrunk()) };
  }

  /** One of each kind of finding is shrunk; the others are told as they are. */
  async #shrunk(): Promise<Omit<CampaignResult, "totals">> {
    const { shrinkMax = 3, attemptsMax = 120 } = this.#options;
    const failures = this.#failures.toSorted((a, b) => a.seed - b.seed);
    const kinds = new Map(failures.toReversed().map((report) => [kindOf(report), report]));
    const chosen = [...kinds.values()].toReversed().slice(0, shrinkMax);
    const left = [...chosen];
    const shrunk: SeedReport[] = [];
    const work = this.#workers.map(async (worker) => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const { seed, plan } = next;
        shrunk.push(await ask(worker, { kind: "shrink", seed, plan, attemptsMax }));
      }
    });
    await Promise.all(work);
    return { shrunk, others: failures.filter((report) => !chosen.includes(report)) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #drive(worker: Worker): Promise<void> {
    const { seeds, firstSeed, forMs = Number.POSITIVE_INFINITY, plan } = this.#options;
    const given = plan === undefined ? {} : { plan };
    const { enoughMs = Number.POSITIVE_INFINITY } = this.#options;
    const isOver = () => {
      const tookMs = performance.now() - this.#startedMs;
      return tookMs >= (this.#failures.length > 0 ? Math.min(forMs, enoughMs) : forMs);
    };
    while (this.#begun < seeds && !isOver()) {
      const seed = firstSeed + this.#begun;
      this.#begun += 1;
      this.#add(await ask(worker, { kind: "play", seed, ...given }));
    }
  }

  #add(report: SeedReport): void {
    const totals = this.#totals;
    const { counts, faults, findings, virtualMs } = report;
    totals.seeds += 1;
    totals.virtualMs += virtualMs;
    for (const name of ["leasedMs", "kills", "stops", "motions", "runs", "jogs"] as const) {
      totals[name] += counts[name];
    }
    const { depth = "ports" } = report;
    totals.depths.set(depth, (totals.depths.get(depth) ?? 0) + 1);
    for (const [kind, count] of Object.entries(faults)) {
      totals.faults.set(kind, (totals.faults.get(kind) ?? 0) + count);
    }
    totals.coverage = addCoverage(totals.coverage, report.coverage);
    totals.realMs = performance.now() - this.#startedMs;
    if (findings.length > 0) {
      totals.violations += 1;
      this.#failures.push(report);
    }
    this.#options.onSeed?.(report, totals);
  }
}

/** What was found, without its numbers and names of runs. */
function kindOf({ findings }: SeedReport): string {
  const [first] = findings;
  const text = (first?.text ?? "").replace(/\bW\d+|-?\d+(\.\d+)?/g, "#");
  return `${first?.judge ?? ""} ${text}`;
}

function ask(worker: Worker, task: WorkerTask): Promise<SeedReport> {
  return new Promise((resolve, reject) => {
    const onMessage = (report: SeedReport) => {
      worker.off("error", onError);
      resolve(report);
    };
    const onError = (thrown: Error) => {
      worker.off("message", onMessage);
      reject(thrown);
    };
    worker.once("message", onMessage);
    worker.once("error", onError);
    worker.postMessage(task);
  });
}
