/**
 * `npm run chaos -- --minutes 10 [--seed N] [--first ROUND] [--rounds N] [--window SECONDS]`:
 * chaos on real processes.
 *
 * The idea: rounds on one cell until the time is over, the broker changing with every second
 * round; whatever happens to this process, what it started is ended and what it mounted is gone.
 * The seed sets the plans; real time does not repeat itself. It refuses to touch a process that it
 * did not start.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadCell } from "#kernel/config/cell-file.js";
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { favourSession, motionPriority } from "../../services/supervisor/priority.js";
import { freePorts, monotonicMs, sleep } from "../fixtures/cell-process.js";
import { type BrokerKind, brokerKinds } from "./cell-files.js";
import { Harm } from "./harm.js";
import { endMarked, removeFolders } from "./keeper.js";
import { Observer } from "./observer.js";
import { Operator } from "./operator.js";
import { mosquittoFile, PlayedCell, packageRoot } from "./played-cell.js";
import { findingText, keepTrace, lineText, say, storyOf, sumUp, type Totals } from "./report.js";
import { broughtBack, playRound, type RoundParts } from "./round.js";
import { planRound } from "./schedule.js";
import { TapLines } from "./tap-lines.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    rounds: { type: "string" },
    first: { type: "string", default: "1" },
    window: { type: "string" },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? 1 + (Date.now() % 1_000_000));
const windowMs = values.window === undefined ? undefined : 1000 * Number(values.window);
const roundsMax = Number(values.rounds ?? Number.POSITIVE_INFINITY);
const firstUpMs = 120_000;
const roundUsualMs = 45_000;
const diskSize = "96m";

const dir = mkdtempSync(join(tmpdir(), "scc-"));
const mark = `${process.pid}-${Date.now()}`;
const kept = join(packageRoot, "dist", "chaos", `seed-${seed}`);
const totals: Totals = { kills: 0, violations: 0, runs: 0, rounds: 0, minutes: 0 };
const counts = new Map<string, number>();
let interrupted = false;

/** Ends everything when this process is gone, however that came about. */
function startKeeper(): void {
  const keeper = join(import.meta.dirname, "keeper.js");
  const child = spawn(process.execPath, [keeper, mark, dir], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.unref();
  (child.stdin as unknown as { unref?(): void }).unref?.();
}

/** A small file system for the data folder, so that it can be full; false: not here. */
function mountDisk(path: string): boolean {
  mkdirSync(path, { recursive: true });
  const options = ["-t", "tmpfs", "-o", `size=${diskSize},mode=0750`, "servocell-chaos", path];
  return (
    process.platform === "linux" && spawnSync("mount", options, { stdio: "ignore" }).status === 0
  );
}

async function ports() {
  const [gantry = 0, gantryLink = 0, tool = 0, toolLink = 0, ...more] = await freePorts(8);
  const [embedded = 0, broker = 0, brokerLink = 0, gateway = 0] = more;
  return { gantry, gantryLink, tool, toolLink, embedded, broker, brokerLink, gateway };
}

/** Another broker for the next rounds: the cell ends in order and comes up again. */
async function change(parts: RoundParts, broker: BrokerKind): Promise<void> {
  const { cell, observer } = parts;
  if (cell.broker === broker && cell.supervisor !== undefined) return;
  if (!(await cell.down())) throw new Error("the cell did not end in order");
  cell.up(broker);
  observer.listen(cell.brokerUrl);
  if (await broughtBack(parts.operator, firstUpMs)) return;
  throw new Error(`the cell did not come up: ${parts.operator.lacks}\n${cell.output.slice(-3000)}`);
}

async function oneRound(parts: RoundParts, round: number, disk: boolean): Promise<void> {
  const { cell, harm } = parts;
  // One pair of rounds each, in turn.
  const broker = brokerKinds[Math.floor((round - 1) / 2) % 2] ?? "embedded";
  await change(parts, broker);
  const startedMs = monotonicMs();
  const plan = planRound(seed, round, { outside: broker === "outside", disk }, windowMs);
  const seconds = Math.round(plan.forMs / 1000);
  say(`round ${round}, ${broker} broker: ${plan.faults.length} faults in ${seconds} s …`);
  const played = await playRound(parts, plan);
  if (cell.broken !== undefined) throw new Error(cell.broken);
  const { trace, findings, excused, runs, backS, late } = played;
  totals.rounds += 1;
  totals.runs += runs;
  totals.kills = harm.kills;
  totals.violations += findings.length;
  const state = findings.length === 0 ? "ok" : `${findings.length} VIOLATIONS`;
  const tookS = Math.round((monotonicMs() - startedMs) / 1000);
  say(
    `  ${state} after ${tookS} s: back in ${backS} s, ${runs} runs, ${trace.length} lines, ` +
      `machine late by ${late.oftenMs} ms, once ${late.maxMs} ms`,
  );
  const from = trace[0]?.at ?? 0;
  for (const finding of excused) {
    say(
      `  not judged, the observer was deaf or the machine too slow: ${findingText(finding, from)}`,
    );
  }
  if (findings.length === 0) return;
  const file = keepTrace(kept, `round-${round}`, trace);
  for (const finding of findings) say(`  ${findingText(finding, from)}`);
  const [first] = findings;
  if (first !== undefined) for (const line of storyOf(trace, first)) say(line);
  say(`  seed ${seed}, round ${round}; the whole trace: ${file}`);
  writeFileSync(join(kept, `round-${round}.txt`), trace.map((l) => lineText(l, from)).join("\n"));
  spawnSync("cp", ["-r", join(cell.dataDir, "log"), join(kept, `round-${round}-log`)]);
}

async function play(): Promise<void> {
  const disk = mountDisk(join(dir, "data"));
  if (!disk) say("skipped: full disk (no file system can be mounted here)");
  const hasMosquitto = existsSync(mosquittoFile);
  if (!hasMosquitto)
    say("skipped: mosquitto (not installed); the outside broker is the embedded one");
  const cell = new PlayedCell({ dir, mark, ports: await ports(), hasMosquitto });
  await cell.begin().catch((thrown: unknown) => {
    throw new Error(`${String(thrown)}\n${cell.output}`);
  });
  const loaded = loadCell(cell.files.cell.embedded, { dataDir: cell.dataDir, runDir: cell.runDir });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const observer = new Observer();
  const operator = new Operator(cell.api, new SeededRandom(seed));
  const harm = new Harm(cell, operator);
  const tap = new TapLines(loaded.value, cell.tapFile);
  const parts: RoundParts = { cell, config: loaded.value, observer, operator, harm, tap };
  operator.begin();
  // A round takes a minute or so; the last one does not begin when there is no time for it.
  const end = monotonicMs() + Math.max(1, minutes * 60_000 - roundUsualMs);
  try {
    const first = Number(values.first);
    for (let round = first; round < first + roundsMax && monotonicMs() < end; round += 1) {
      if (interrupted) break;
      await oneRound(parts, round, disk);
    }
  } finally {
    await operator.end();
    observer.end();
    if (!(await cell.down())) say("the cell did not end in order within 25 s");
    await cell.end();
    for (const [what, count] of harm.counts) counts.set(what, count);
  }
}

process.on("SIGINT", () => {
  if (interrupted) process.exit(130);
  interrupted = true;
  say("after this round it ends; again: at once");
});
startKeeper();
favourSession(process.pid, motionPriority);
const began = monotonicMs();
say(`chaos: seed ${seed}, ${minutes} minutes, in ${dir}`);
say("the seed sets the plans of faults; real time does not repeat itself");
let broken = false;
try {
  await play();
} catch (thrown) {
  broken = true;
  say(`chaos itself ended: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : thrown}`);
}
await endMarked(mark);
removeFolders([dir]);
totals.minutes = Math.round((monotonicMs() - began) / 6000) / 10;
sumUp(totals, counts);
await sleep(10);
process.exit(broken || totals.violations > 0 ? 1 : 0);
