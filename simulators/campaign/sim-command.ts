/**
 * A campaign for a person: progress while it runs, what was found, and one line for machines.
 *
 * The idea: the words stand here, the work in campaign.ts. Exit code 0: nothing found; 1: judges
 * found something; 2: it could not begin. It refuses to hide a failing seed behind a total.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { readSagaModule } from "#kernel/edge/saga-module-reader.js";
import { type RecordedUnit, readRecording } from "../recording.js";
import { planFacts } from "../world/fault-plan.js";
import { inOwnTurn } from "../world/own-turn.js";
import { playRecord } from "../world/play-record.js";
import { timeline } from "../world/timeline.js";
import { type CampaignOptions, runCampaign, type Totals } from "./campaign.js";
import { coverageText } from "./coverage-text.js";
import { type DepthWish, deepWorlds } from "./depths.js";
import { edgeParts } from "./edge-parts.js";
import { readSeedFile, type SeedFile, seedFileText, unknownNames } from "./seed-file.js";
import type { SeedReport, Setting } from "./seed-worker.js";

export interface SimOptions {
  readonly cell: string;
  readonly seeds?: number;
  readonly seed?: number;
  readonly from: number;
  readonly minutes?: number;
  readonly saga?: readonly string[];
  readonly replay?: string;
  /** A flight recorder's file, instead of seeds. */
  readonly record?: string;
  readonly keep?: string;
  readonly threads: number;
  readonly faultsMs?: number;
  readonly faults?: number;
  readonly presses?: number;
  /** @default the mix; worlds that verify somebody's cell: on ports */
  readonly depth?: DepthWish;
  readonly verify?: boolean;
}

type Say = (text: string) => void;

/** A world keeps no files. */
const nowhere = { dataDir: "/nowhere", runDir: "/nowhere" } as const;
const seedsUsual = 100;
/** Somebody's own sagas: short worlds that are busy all the time. */
export const verifying: Setting = {
  recipes: true,
  faultsMs: 40_000,
  faults: 8,
  presses: 12,
  restMs: [200, 4000],
  starts: false,
  // Whose sagas these are does not promise that they bear an axis that a person has moved.
  jogs: false,
};
const progressMs = 2000;

export async function simulate(options: SimOptions, say: Say): Promise<number> {
  const cell = cellOf(options.cell, say);
  if (cell === undefined) return 2;
  if (options.record !== undefined) return replayRecord(cell, options.record, say);
  const unknown = options.saga?.find((name) => !cell.sagas.some((saga) => saga.name === name));
  if (unknown !== undefined) {
    const names = cell.sagas.map(({ name }) => name).join(", ");
    say(`${options.cell}: there is no saga ${unknown}; there are ${names}.\n`);
    return 2;
  }
  const replay = options.replay === undefined ? undefined : seedFileOf(options.replay, say);
  if (options.replay !== undefined && replay === undefined) return 2;
  const strange = unknownNames(replay?.plan ?? [], planFacts(cell));
  if (strange.length > 0) {
    say(`${options.replay} is not of this cell: there is no ${strange.join(", no ")}.\n`);
    return 2;
  }
  const campaign = campaignOf(cell, options, replay);
  const { depth } = campaign;
  if (depth !== "mixed" && depth !== "ports" && campaign.deep[depth] === undefined) {
    say(`${options.cell}: its plan does not fit on lines; ${depth} cannot be played.\n`);
    return 2;
  }
  say(`${headline(campaign, options)}\n`);
  const { totals, shrunk, others } = await runCampaign({
    ...campaign,
    onSeed: progress(campaign, say),
  });
  for (const failure of shrunk) tell(failure, options, say);
  if (others.length > 0) say(`also failing: ${others.map(({ seed }) => seed).join(", ")}\n`);
  const folder = options.replay === undefined ? options.keep : undefined;
  if (folder !== undefined) {
    keepFailures({ ...options, keep: folder }, [...shrunk, ...others], campaign.setting, say);
  }
  if (options.verify === true) say(coverageText(totals.coverage, cell));
  say(`${lastLine(totals, options)}\n`);
  return totals.violations > 0 ? 1 : 0;
}

/** The drivers see again what they saw on that day, and say what they make of it. */
async function replayRecord(cell: CellConfig, file: string, say: Say): Promise<number> {
  let units: readonly RecordedUnit[];
  try {
    units = readRecording(file).units;
  } catch (thrown) {
    say(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return 2;
  }
  if (!cell.devices.some(({ setup }) => units.some(({ unit }) => unit === setup.unit))) {
    say(
      `${file}: no unit of it is in ${cell.file}; name the cell that was recorded with --cell.\n`,
    );
    return 2;
  }
  const played = await inOwnTurn(() => playRecord({ cell, parts: edgeParts(cell), units }));
  const linesMax = Number.POSITIVE_INFINITY;
  for (const line of timeline(played.trace, [], { linesMax })) say(`${line}\n`);
  if (played.missing.length > 0) say(`not in the recording: ${played.missing.join(", ")}\n`);
  const { virtualMs } = played;
  say(`RECORD ${JSON.stringify({ seconds: Math.round(virtualMs / 1000), units: units.length })}\n`);
  return 0;
}

function cellOf(file: string, say: Say): CellConfig | undefined {
  const loaded = loadCell(resolve(file), nowhere, readSagaModule);
  if (loaded.ok) return loaded.value;
  for (const { path, line, message } of loaded.problems) {
    say(`${file}:${line}: ${path}: ${message}\n`);
  }
  return undefined;
}

function seedFileOf(file: string, say: Say): SeedFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    say(`${file} cannot be read; name a seed file that --keep has written.\n`);
    return undefined;
  }
  const read = readSeedFile(text);
  if (read.ok) return read.value;
  say(`${file} is not a seed file: ${read.problems.join("; ")}\n`);
  return undefined;
}

function campaignOf(
  cell: CellConfig,
  options: SimOptions,
  replay: SeedFile | undefined,
): CampaignOptions {
  const { seed, from, minutes, threads, saga, faultsMs, faults, presses } = options;
  const wish = options.depth ?? (options.verify === true ? "ports" : "mixed");
  const deep = wish === "ports" && replay?.depth === undefined ? {} : deepWorlds(cell, nowhere);
  const setting: Setting = {
    ...(options.verify === true && verifying),
    ...(saga !== undefined && { sagas: saga }),
    ...(faultsMs !== undefined && { faultsMs }),
    ...(faults !== undefined && { faults }),
    ...(presses !== undefined && { presses }),
  };
  if (replay !== undefined) {
    const { plan, work, sagas } = replay;
    const named = sagas === undefined ? {} : { sagas };
    const judged = replay.recipes === true ? { ...setting, ...verifying } : setting;
    const same = { ...judged, ...named, work, faultsMs: replay.faultsMs };
    const one = { firstSeed: replay.seed, seeds: 1, threads: 1, shrinkMax: 0 };
    const depth = replay.depth ?? "ports";
    return { cell, deep, depth, exact: true, setting: same, ...one, plan };
  }
  const how = { cell, deep, depth: wish, setting };
  if (seed !== undefined) return { ...how, firstSeed: seed, seeds: 1, threads: 1 };
  const most = minutes === undefined ? seedsUsual : Number.POSITIVE_INFINITY;
  const seeds = options.seeds ?? most;
  const enough = options.verify === true ? { enoughMs: 10_000, attemptsMax: 25 } : {};
  const time = { ...enough, ...(minutes !== undefined && { forMs: minutes * 60_000 }) };
  return { ...how, firstSeed: from, seeds, threads, ...time };
}

function headline({ cell, firstSeed, seeds, threads }: CampaignOptions, options: SimOptions) {
  const what = options.replay === undefined ? "" : ` from ${options.replay}`;
  const many = seeds === 1 ? `seed ${firstSeed}` : `seeds from ${firstSeed}`;
  return `${cell.cell}: ${cell.devices.length} devices, ${many}${what}, ${threads} at a time`;
}

/** One line now and then; a failing seed at once. */
function progress({ seeds }: CampaignOptions, say: Say) {
  let nextMs = 0;
  return (report: SeedReport, totals: Totals) => {
    const [finding] = report.findings;
    if (finding !== undefined) {
      say(`seed ${report.seed}: ${finding.judge}: ${finding.text}\n`);
    }
    if (totals.realMs < nextMs && totals.seeds !== seeds) return;
    nextMs = totals.realMs + progressMs;
    const of = Number.isFinite(seeds) ? `/${seeds}` : "";
    const hours = (totals.virtualMs / 3_600_000).toFixed(1);
    const bar = Number.isFinite(seeds) ? `${barOf(totals.seeds / seeds)} ` : "";
    const found = totals.violations === 0 ? "nothing found" : `${totals.violations} failing`;
    say(
      `${bar}${totals.seeds}${of} seeds, ${hours} cell-hours, ${speedup(totals)} × real time, ${found}\n`,
    );
  };
}

function barOf(share: number): string {
  const full = Math.round(Math.min(1, share) * 20);
  return `[${"#".repeat(full)}${".".repeat(20 - full)}]`;
}

function speedup({ virtualMs, realMs }: Totals): number {
  return Math.round(virtualMs / Math.max(1, realMs));
}

function tell(failure: SeedReport, options: SimOptions, say: Say): void {
  const { seed, plan, findings, timeline } = failure;
  const judges = [...new Set(findings.map(({ judge }) => judge))].join(", ");
  say(`\nseed ${seed} (${judges}), shrunk to ${plan.length} faults:\n`);
  for (const fault of plan) say(`  ${JSON.stringify(fault)}\n`);
  for (const line of timeline) say(`${line}\n`);
  if (options.verify !== true && options.replay === undefined) {
    say(`again: ${againWith(options, seed)}\n`);
  }
}

/** The same world once more: everything that was asked for, and the seed. */
export function againWith(options: SimOptions, seed: number): string {
  const { cell, saga = [], faultsMs, faults, presses, depth } = options;
  const given: readonly (readonly [string, string | number | undefined])[] = [
    ["cell", cell],
    ...saga.map((one) => ["saga", one] as const),
    ["faults-ms", faultsMs],
    ["faults", faults],
    ["presses", presses],
    ["depth", depth],
    ["seed", seed],
  ];
  const words = given.flatMap(([name, value]) => {
    return value === undefined ? [] : [`--${name} ${quoted(String(value))}`];
  });
  return `npm run sim -- ${words.join(" ")}`;
}

function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What was found is told all the same where it cannot be kept; a seed plays it once more. */
export function keepFailures(
  options: SimOptions & { readonly keep: string },
  failures: readonly SeedReport[],
  setting: Setting,
  say: Say,
): void {
  try {
    keep(options, failures, setting, say);
  } catch (thrown) {
    const why = Reflect.get(Object(thrown), "code") ?? thrown;
    say(`${options.keep} cannot be written: ${why}; name another folder with --keep.\n`);
  }
}

function keep(
  options: SimOptions & { readonly keep: string },
  failures: readonly SeedReport[],
  setting: Setting,
  say: Say,
): void {
  const { keep: folder } = options;
  if (failures.length === 0) return;
  mkdirSync(folder, { recursive: true });
  for (const { seed, plan, findings, depth, faultsMs } of failures) {
    const file = join(folder, `seed-${seed}.json`);
    const found = findings.map(({ judge, text }) => `${judge}: ${text}`)[0] ?? "";
    const { work = true, sagas, recipes } = setting;
    const named = {
      ...(depth !== undefined && { depth }),
      ...(sagas !== undefined && { sagas }),
      ...(recipes === true && { recipes: true }),
    };
    writeFileSync(
      file,
      seedFileText({ servocellSeed: 1, seed, found, faultsMs, work, ...named, plan }),
    );
    const again = options.verify === true ? "servocell verify" : "npm run sim -- --cell";
    say(`kept ${file}; again: ${again} ${quoted(options.cell)} --replay ${quoted(file)}\n`);
  }
}

function lastLine(totals: Totals, options: SimOptions): string {
  const { seeds, violations, kills, stops, runs, jogs, motions, virtualMs, leasedMs } = totals;
  const strikes = Object.fromEntries([...totals.faults].sort());
  const faults = [...totals.faults.values()].reduce((sum, count) => sum + count, 0);
  const cellHours = Math.round(virtualMs / 36_000) / 100;
  const name = options.verify === true ? "VERIFY" : "SIM";
  const told = {
    seeds,
    violations,
    cellHours,
    speedup: speedup(totals),
    faults,
    kills,
    stops,
    runs,
    jogs,
    depths: Object.fromEntries(totals.depths),
    motions,
    leasedAxisHours: Math.round(leasedMs / 36_000) / 100,
    faultsByKind: strikes,
  };
  return `${name} ${JSON.stringify(told)}`;
}
