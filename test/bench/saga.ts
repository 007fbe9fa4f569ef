/**
 * What a durable step of a saga costs, beside a bare insert on the same disk and beside others.
 *
 * The idea: the engine's own step with nothing on the wire, a run of three steps, many runs at a
 * time; the floor is one insert with the same promise (WAL, synchronous FULL) in the same folder.
 * `--quick` is for tests. It refuses to compare with figures of another machine or another call.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { benchRespawn, benchWire } from "./saga-crash.js";
import { BenchDesk, noopSaga } from "./saga-desk.js";
import { openLongJournal } from "./saga-history.js";
import { benchDbos, type PeerTimes } from "./saga-peers.js";

const quick = process.argv.includes("--quick");
const steps = quick ? 100 : 1000;
const alone = quick ? 30 : 300;
const together = quick ? 100 : 3000;
const inFlight = 16;

export async function benchSaga(): Promise<object> {
  const floor = bareInserts(quick ? 300 : 3000);
  say(`a bare insert, synchronous FULL: ${spread(floor)}`);
  const desk = await BenchDesk.open();
  try {
    // Once around before anything is timed.
    await desk.run(noopSaga("a", 50));
    const step = await stepTimes(desk);
    say(`one step of a run of ${steps}: ${spread(step)}`);
    const run = await runTimes(desk);
    say(`a run of three steps, alone: ${spread(run)}`);
    const perSecond = await runsPerSecond(desk);
    say(`runs of three steps, ${inFlight} at a time: ${Math.round(perSecond)} a second`);
    const history = await openLongJournal(quick ? 20_000 : 1_000_000);
    say(`a journal of ${history.events} events: open after ${Math.round(history.openMs)} ms`);
    const crash = await crashFigures();
    const dbos = await benchDbos(quick ? 0.1 : 1, say);
    if (dbos !== undefined) {
      say(`DBOS on PostgreSQL, one step: ${spread(dbos.steps)}`);
      say(`DBOS, a workflow of three steps, alone: ${spread(dbos.runs)}`);
      say(`DBOS, ${inFlight} at a time: ${Math.round(dbos.perSecond)} a second`);
    }
    return {
      bareP50Ms: round(at(floor, 0.5)),
      stepP50Ms: round(at(step, 0.5)),
      stepP99Ms: round(at(step, 0.99)),
      runP50Ms: round(at(run, 0.5)),
      runP99Ms: round(at(run, 0.99)),
      runsPerSecond: Math.round(perSecond),
      openMillionMs: Math.round(history.openMs),
      ...crash,
      ...(dbos === undefined ? {} : peerFigures(dbos, at(step, 0.5), perSecond)),
    };
  } finally {
    await desk.close();
  }
}

/** What the disk itself asks for. */
function bareInserts(count: number): number[] {
  const dir = mkdtempSync(join(tmpdir(), "servocell-bare-"));
  const db = new Database(join(dir, "bare.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, run TEXT, data TEXT)");
  const insert = db.prepare("INSERT INTO t (run, data) VALUES (?, ?)");
  const data = "x".repeat(200);
  for (let i = 0; i < 200; i += 1) insert.run("run", data);
  const times = Array.from({ length: count }, () => {
    const fromMs = performance.now();
    insert.run("run", data);
    return performance.now() - fromMs;
  });
  db.close();
  rmSync(dir, { recursive: true, force: true });
  return times;
}

/** From one command that leaves to the next: verdict in, decided, on the disk, out. */
async function stepTimes(desk: BenchDesk): Promise<number[]> {
  const times: number[] = [];
  let lastMs: number | undefined;
  desk.onSend = () => {
    const nowMs = performance.now();
    if (lastMs !== undefined) times.push(nowMs - lastMs);
    lastMs = nowMs;
  };
  await desk.run(noopSaga("a", steps));
  desk.onSend = () => undefined;
  return times;
}

async function runTimes(desk: BenchDesk): Promise<number[]> {
  const saga = noopSaga("a", 3);
  const times: number[] = [];
  for (let i = 0; i < alone; i += 1) {
    const fromMs = performance.now();
    await desk.run(saga);
    times.push(performance.now() - fromMs);
  }
  return times;
}

async function runsPerSecond(desk: BenchDesk): Promise<number> {
  let left = together;
  const fromMs = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async (_, i) => {
      const saga = noopSaga(`axis-${i}`, 3);
      while (left > 0) {
        left -= 1;
        await desk.run(saga);
      }
    }),
  );
  return together / ((performance.now() - fromMs) / 1000);
}

async function crashFigures(): Promise<object> {
  const { respawnToFenced, standstillToMakeSafe } = await benchRespawn(
    quick ? 20_000 : 1_000_000,
    quick ? 3 : 20,
  );
  say(
    `a new process with that journal: stop at the last driver after ${Math.round(respawnToFenced)} ms`,
  );
  say(`the last standstill read: makeSafe at its driver after ${spread(standstillToMakeSafe)}`);
  const { crashToStop, wire } = await benchWire(quick ? 1 : 5);
  say(`the coordinator killed: stop frame at the moving axis after ${spread(crashToStop)}`);
  say(`a verdict in, the next command's first frame out: ${spread(wire)} (${wire.length} steps)`);
  return {
    wireP50Ms: round(at(wire, 0.5)),
    wireP99Ms: round(at(wire, 0.99)),
    crashToStopMs: round(at(crashToStop, 0.5)),
    respawnToFencedMs: round(respawnToFenced),
    standstillToMakeSafeMs: round(at(standstillToMakeSafe, 0.5)),
  };
}

/** How many times faster a step is here, and how many times more runs a second there are. */
function peerFigures(dbos: PeerTimes, stepMs: number, perSecond: number): object {
  return {
    dbosStepP50Ms: round(at(dbos.steps, 0.5)),
    dbosRunP50Ms: round(at(dbos.runs, 0.5)),
    dbosRunsPerSecond: Math.round(dbos.perSecond),
    ratioToDbos: round(at(dbos.steps, 0.5) / stepMs),
    ratioOfRunsToDbos: round(perSecond / dbos.perSecond),
  };
}

function at(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function spread(times: readonly number[]): string {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => at(times, share).toFixed(3));
  return `p50 ${p50}, p95 ${p95}, p99 ${p99} ms`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
