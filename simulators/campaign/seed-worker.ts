/**
 * A thread that plays seeds: asked for one at a time, it answers with what came of it.
 *
 * The idea: each thread has globals of its own, so worlds on both cores do not meet. The trace
 * stays here; what leaves is the findings, the counts and, of a failing seed, its shrunk plan with
 * a timeline. It refuses to choose seeds.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { CellConfig } from "#kernel/config/cell.js";
import { deepFreeze } from "#kernel/config/deep-freeze.js";
import type { Finding } from "../judges/judge.js";
import { type Coverage, coverageOf } from "../world/coverage.js";
import type { Fault } from "../world/fault-plan.js";
import {
  faultsMsUsual,
  type Outcome,
  type PlayCounts,
  type PlayOptions,
  playWorld,
} from "../world/play.js";
import { shrinkPlan } from "../world/shrink.js";
import { timeline } from "../world/timeline.js";
import { deepParts } from "./deep-parts.js";
import { type DeepKind, type DeepWorlds, type DepthWish, deepSetting, depthOf } from "./depths.js";
import { edgeParts } from "./edge-parts.js";

/** What is the same for all seeds of a campaign. */
export type Setting = Pick<
  PlayOptions,
  | "faultsMs"
  | "faults"
  | "presses"
  | "healMs"
  | "work"
  | "sagas"
  | "recipes"
  | "restMs"
  | "starts"
  | "jogs"
>;

export interface WorkerData {
  readonly cell: CellConfig;
  readonly setting: Setting;
  readonly deep: DeepWorlds;
  readonly depth: DepthWish;
  /** The setting is that of a deep world already. */
  readonly exact: boolean;
}

export type WorkerTask =
  | { readonly kind: "play"; readonly seed: number; readonly plan?: readonly Fault[] }
  | {
      readonly kind: "shrink";
      readonly seed: number;
      readonly plan: readonly Fault[];
      readonly attemptsMax: number;
    };

export interface SeedReport {
  readonly seed: number;
  /** Absent: on ports. */
  readonly depth?: DeepKind;
  /** How long things could go wrong. */
  readonly faultsMs: number;
  readonly plan: readonly Fault[];
  readonly findings: readonly Finding[];
  readonly virtualMs: number;
  readonly counts: PlayCounts;
  readonly faults: { readonly [kind: string]: number };
  readonly coverage: Coverage;
  /** Up to the first finding; empty where there is none. */
  readonly timeline: readonly string[];
}

// A copy of the campaign's configuration: frozen as the loader had it.
const data = deepFreeze(workerData as WorkerData);
const { cell, setting } = data;
const parts = edgeParts(cell);

function playSeed(seed: number, plan: readonly Fault[] | undefined): Outcome {
  const given = plan === undefined ? {} : { plan };
  const deep = deepOf(seed);
  if (deep === undefined) return playWorld({ ...setting, ...given, seed, cell, parts });
  const below = deepParts(deep.cell, deep.depth);
  try {
    return playWorld({ ...settingOf(seed), ...given, seed, cell: deep.cell, parts: below });
  } finally {
    below.close();
  }
}

function deepOf(seed: number) {
  const kind = depthOf(seed, data.depth, data.deep);
  return kind === undefined ? undefined : data.deep[kind];
}

function settingOf(seed: number): Setting {
  return deepOf(seed) === undefined || data.exact ? setting : deepSetting(setting);
}

function report(outcome: Outcome): SeedReport {
  const { seed, plan, findings, virtualMs, counts, faults, trace } = outcome;
  const firstAt = Math.min(...findings.map(({ at }) => at));
  const about = findings.filter(({ at }) => at <= firstAt + 500).slice(0, 8);
  const depth = depthOf(seed, data.depth, data.deep);
  return {
    seed,
    ...(depth !== undefined && { depth }),
    faultsMs: settingOf(seed).faultsMs ?? faultsMsUsual,
    plan,
    findings: findings.slice(0, 20),
    virtualMs,
    counts,
    faults: Object.fromEntries(faults),
    coverage: coverageOf(trace, deepOf(seed)?.cell ?? cell),
    timeline: findings.length === 0 ? [] : timeline(trace, about, { untilMs: firstAt + 500 }),
  };
}

/** The shortest plan that the same judge still complains about. */
function shrunk(seed: number, plan: readonly Fault[], attemptsMax: number): SeedReport {
  const judge = playSeed(seed, plan).findings[0]?.judge;
  const fails = (candidate: readonly Fault[]) => {
    return playSeed(seed, candidate).findings.some((finding) => finding.judge === judge);
  };
  const short = judge === undefined ? plan : shrinkPlan(plan, { fails, attemptsMax });
  return report(playSeed(seed, short));
}

parentPort?.on("message", (task: WorkerTask) => {
  // A macrotask of its own: promises are drained inside the world.
  setTimeout(() => {
    const { seed, plan } = task;
    const done =
      task.kind === "shrink"
        ? shrunk(seed, task.plan, task.attemptsMax)
        : report(playSeed(seed, plan));
    parentPort?.postMessage(done);
  }, 0);
});
