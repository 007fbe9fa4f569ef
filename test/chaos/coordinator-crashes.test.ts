/**
 * The coordinator dies at every named point, as by `kill -9`, one by one and in pairs.
 *
 * The idea: a real process with a real broker and database; scripted drivers live on and write down
 * what would have moved. Whatever happens, no step is executed twice, the run ends, the stop comes
 * before makeSafe, and nothing stays locked. All pairs: `SERVOCELL_CHAOS=full`. It refuses to
 * reach into the process.
 */
import { expect, test } from "vitest";
import { crashPoints } from "../../services/coordinator/crash-points.js";
import { sleep, until } from "../fixtures/cell-process.js";
import { CoordinatorProcess } from "../fixtures/coordinator/coordinator-process.js";
import type { Trigger } from "../fixtures/coordinator/scripted-driver.js";

const full = process.env.SERVOCELL_CHAOS === "full";
const seed = Number(process.env.SERVOCELL_SEED ?? Date.now() % 1_000_000);
const oldRuns = 30;
const faulted = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;

/** Where the first process dies, for a point that only a second one comes by. */
function chainOf(point: string): readonly string[] {
  return point.startsWith("restart.") ? ["intent.sent:2", point] : [point];
}

async function crash(chain: readonly string[]): Promise<{ readonly tripped: number }> {
  const cell = await CoordinatorProcess.open(oldRuns);
  try {
    cell.driver("x").scripts.set("moveTo#2", { afterMs: 30, verdict: faulted });
    const deaths: number[] = [];
    for (const point of [...chain, ""]) {
      cell.spawn(point);
      await cell.ask("start", { saga: "job", run: "run-1" });
      const end = await cell.ends("run-1");
      // The archive is written a moment after a start.
      const late = point.startsWith("archive") || point.startsWith("end");
      if (late && cell.alive) await cell.died(4000).catch(() => "");
      if (point === "") expect(end).toMatch(/^(completed|madeSafe)$/);
      else if (cell.alive) cell.kill();
      else deaths.push(cell.diedMs);
      if (point !== "") expect(await cell.died()).toBe("SIGKILL");
    }
    await cell.stop();
    judge(cell, deaths);
    return { tripped: deaths.length };
  } finally {
    await cell.close();
  }
}

function judge(cell: CoordinatorProcess, deaths: readonly number[]): void {
  const { triggers } = cell;
  const ids = triggers.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const intents = new Map(
    cell
      .rows<{ data: string }>("SELECT data FROM run_events WHERE run = 'run-1' AND type = 'intent'")
      .map(({ data }) => JSON.parse(data) as { id: string; step: string; part: string })
      .map((intent) => [intent.id, intent]),
  );
  // Intent before effect: whatever moved stands in the journal; and each step moved once.
  const moved = triggers.map(({ id }) => intents.get(id));
  expect(moved.every((intent) => intent !== undefined)).toBe(true);
  const steps = moved.filter((intent) => intent?.part === "run").map((intent) => intent?.step);
  expect(new Set(steps).size).toBe(steps.length);
  const isSafe = ({ id }: Trigger) => intents.get(id)?.part === "makeSafe";
  for (const trigger of triggers.filter(isSafe)) stopsComeFirst(cell, triggers, trigger, isSafe);
  for (const atMs of deaths) stopsFollow(cell, triggers, atMs);
  for (const driver of cell.drivers.values()) {
    expect([driver.moving, driver.holder]).toEqual([false, undefined]);
  }
  expect(cell.rows("SELECT * FROM locks")).toEqual([]);
  expect(cell.rows("SELECT run FROM runs WHERE ended_ts IS NULL")).toEqual([]);
  const kept = `SELECT r.run FROM runs r WHERE r.run LIKE 'old-%' AND 1 <>
    (SELECT count(*) FROM run_events e WHERE e.run = r.run) +
    (SELECT total(last - first + 1) FROM archive a WHERE a.run = r.run)`;
  expect(cell.rows(kept)).toEqual([]);
  expect(cell.rows("SELECT run FROM runs WHERE run LIKE 'old-%'")).toHaveLength(cell.endedRuns);
}

/** Between the last step that moved and the first makeSafe, every axis was stopped. */
function stopsComeFirst(
  cell: CoordinatorProcess,
  triggers: readonly Trigger[],
  safe: Trigger,
  isSafe: (trigger: Trigger) => boolean,
): void {
  const before = triggers.filter((one) => one.at < safe.at && !isSafe(one)).at(-1);
  for (const driver of cell.drivers.values()) {
    const stopped = driver.stops.some(({ at }) => at > (before?.at ?? 0) && at < safe.at);
    expect([driver.device, "stopped first", stopped]).toEqual([
      driver.device,
      "stopped first",
      true,
    ]);
  }
}

/** After a death with something under way, the first that a driver hears of is its stop. */
function stopsFollow(cell: CoordinatorProcess, triggers: readonly Trigger[], atMs: number): void {
  const next = triggers.find(({ at }) => at > atMs);
  const moved = triggers.some(({ at }) => at < atMs);
  if (next === undefined || !moved) return;
  const driver = cell.driver(next.device);
  expect(driver.stops.some(({ at }) => at > atMs && at < next.at)).toBe(true);
}

test.concurrent.each(crashPoints)(
  "the coordinator dies at %s",
  async (point) => {
    const chain = chainOf(point);
    expect((await crash(chain)).tripped).toBe(chain.length);
  },
  60_000,
);

/** A pair that comes by, the same for the same seed. */
function pairs(): readonly (readonly [string, string])[] {
  const all = crashPoints.flatMap((first) => crashPoints.map((second) => [first, second] as const));
  const able = all.filter(([first]) => !first.startsWith("restart."));
  if (full) return able;
  let state = seed;
  const pick = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return able[state % able.length] ?? (["start.posted", "intent.sent"] as const);
  };
  return Array.from({ length: 8 }, pick);
}

test.concurrent.each(pairs())(
  `the coordinator dies at %s, and the next one at %s (seed ${seed})`,
  async (first, second) => {
    expect((await crash([first, second])).tripped).toBeGreaterThan(0);
  },
  60_000,
);

test.concurrent.each([40, 90, 140, 190])(
  "the database as it lay on the disk %d ms after the start opens, and the run ends",
  async (afterMs) => {
    const cell = await CoordinatorProcess.open();
    try {
      cell.driver("x").scripts.set("moveTo#2", { afterMs: 30, verdict: faulted });
      cell.spawn();
      await cell.ask("start", { saga: "job", run: "run-1" });
      await sleep(afterMs);
      await cell.restoreFromCopy();
      const deaths = [cell.diedMs];
      cell.spawn();
      expect(await cell.ends("run-1")).toMatch(/^(completed|madeSafe)$/);
      await cell.stop();
      judge(cell, deaths);
    } finally {
      await cell.close();
    }
  },
  60_000,
);

test.concurrent("SQ-01: killed between intent and verdict, the intent stands alone on the disk", async () => {
  const cell = await CoordinatorProcess.open();
  try {
    cell.driver("z").scripts.set("moveTo", "hang");
    cell.spawn();
    await cell.ask("start", { saga: "job", run: "run-1" });
    await until("z was commanded", () => cell.triggers.length > 0);
    cell.kill();
    await cell.died();
    const rows = cell.rows<{ type: string }>(
      "SELECT type FROM run_events WHERE run = 'run-1' ORDER BY seq",
    );
    expect(rows.map(({ type }) => type).filter((type) => type !== "accepted")).toEqual([
      "leased",
      "leased",
      "intent",
    ]);
  } finally {
    await cell.close();
  }
}, 60_000);

test.concurrent("SG-06: asked to start a run from before it listens, the coordinator begins it once", async () => {
  const cell = await CoordinatorProcess.open();
  try {
    cell.spawn();
    const untilMs = performance.now() + 15_000;
    const isDone = () => cell.record("run-1")?.state === "completed";
    for (let i = 0; performance.now() < untilMs && !isDone(); i += 1) {
      cell.send("start", { saga: "job", run: "run-1" }, `tight-${i % 7}`);
      await sleep(5);
    }
    expect(await cell.ends("run-1")).toBe("completed");
    await cell.stop();
    judge(cell, []);
    expect(cell.triggers.map(({ args }) => args.position)).toEqual([50, 100, 200]);
    expect(cell.rows("SELECT run, claim FROM runs")).toEqual([{ run: "run-1", claim: 1 }]);
  } finally {
    await cell.close();
  }
}, 60_000);

test.concurrent("SG-09: killed with both axes held, the next start frees them, and another run gets them", async () => {
  const cell = await CoordinatorProcess.open();
  try {
    cell.driver("z").scripts.set("moveTo#1", "hang");
    cell.spawn();
    await cell.ask("start", { saga: "job", run: "run-1" });
    await until("z was commanded", () => cell.triggers.length > 0);
    cell.kill();
    await cell.died();
    const locks = "SELECT device, run FROM locks ORDER BY device";
    expect(cell.rows(locks)).toEqual([
      { device: "x", run: "run-1" },
      { device: "z", run: "run-1" },
    ]);
    cell.spawn();
    expect(await cell.ends("run-1")).toBe("madeSafe");
    await cell.ask("reset", { stops: [] }, 3000, "cellCommand");
    await cell.ask("start", { saga: "job", run: "run-2" });
    expect(await cell.ends("run-2")).toBe("completed");
    await cell.stop();
    expect(cell.rows(locks)).toEqual([]);
    const last = cell.triggers.filter(({ id }) => id.startsWith(keyOf(cell, "run-1"))).at(-1);
    const first = cell.triggers.find(({ id }) => id.startsWith(keyOf(cell, "run-2")));
    expect(first?.at).toBeGreaterThan(last?.at ?? Number.POSITIVE_INFINITY);
  } finally {
    await cell.close();
  }
}, 60_000);

function keyOf(cell: CoordinatorProcess, run: string): string {
  const [row] = cell.rows<{ key: string }>(`SELECT key FROM runs WHERE run = '${run}'`);
  return row?.key ?? "none";
}
