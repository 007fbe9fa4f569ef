/**
 * kill -9 of each service in the middle of a move, judged at the simulator's tap.
 *
 * The idea: whoever dies, the axis stands still within its ramp, no trigger goes out twice, and
 * nothing moves again by itself except as PROTOCOL 1 allows. Times are bounded generously; the
 * figures are printed for people. It refuses to end a process that it did not start.
 */
import { afterEach, expect, test } from "vitest";
import {
  CellProcess,
  isWrite,
  makeCellFolder,
  monotonicMs,
  sleep,
  type TapLine,
  until,
} from "../fixtures/cell-process.js";
import { stopFrame, triggerFrame } from "../fixtures/stop-frames.js";

let cell: CellProcess | undefined;
afterEach(async () => {
  await cell?.close();
}, 30_000);

/** A homed cell with pick-place running and x in motion. */
async function movingCell(): Promise<{ cell: CellProcess; run: string; fromMs: number }> {
  const folder = await makeCellFolder();
  const started = new CellProcess(folder);
  cell = started;
  await started.ready();
  expect((await started.run("home-cell")).state).toBe("completed");
  const fromMs = monotonicMs();
  const body = (await started.post("/runs", { saga: "pick-place" })).body as { run: string };
  await until("x moves", () => moving(started.tap(), "x", fromMs));
  return { cell: started, run: body.run, fromMs };
}

/** Whether the newest motion line of the device says that it moves. */
function moving(tap: readonly TapLine[], device: string, sinceMs = 0): boolean {
  const last = tap.findLast((l) => l.device === device && l.kind === "motion");
  return last !== undefined && last.moving === true && last.tMs > sinceMs;
}

const all = ["x", "y", "z"];

async function allStill(at: CellProcess): Promise<void> {
  await until("all axes stand still", () => all.every((axis) => !moving(at.tap(), axis)), 8000);
}

function firstStop(tap: readonly TapLine[], device: string, sinceMs: number) {
  return tap.find(
    (l) => l.device === device && l.tMs > sinceMs && isWrite(l) && stopFrame(device, l.pdu ?? ""),
  );
}

test("coordinator killed mid-move: stop at every driver, no trigger twice, made safe after restart", async () => {
  const { cell: at, run, fromMs } = await movingCell();
  const killedMs = at.kill("SIGKILL", "coordinator/main.js");
  const stop = await until("x got its stop", () => firstStop(at.tap(), "x", killedMs), 3000);
  process.stdout.write(
    `coordinator killed → stop at x after ${(stop.tMs - killedMs).toFixed(1)} ms\n`,
  );
  expect(stop.tMs - killedMs).toBeLessThan(1000);
  const tap = at.tap();
  const triggers = tap.filter(
    (l) => l.device === "x" && l.tMs > fromMs && triggerFrame("x", l.pdu ?? ""),
  );
  expect(triggers.length).toBe(1);
  const end = await at.ended(run, 30_000);
  expect(end.state).toBe("madeSafe");
  await allStill(at);
}, 120_000);

test("driver killed mid-move: the guardian's stop, then nothing but stop before a full read", async () => {
  const { cell: at, run } = await movingCell();
  const killedMs = at.kill("SIGKILL", "driver/main.js", "x");
  const stop = await until("x got its stop", () => firstStop(at.tap(), "x", killedMs), 3000);
  process.stdout.write(
    `driver killed → guardian's stop at x after ${(stop.tMs - killedMs).toFixed(1)} ms\n`,
  );
  await until("x stands still", () => !moving(at.tap(), "x"), 8000);
  await at.ended(run, 30_000);
  const wrong = at
    .tap()
    .filter((l) => l.device === "x" && l.tMs > killedMs && isWrite(l))
    .filter((l) => !stopFrame("x", l.pdu ?? ""));
  const firstWrong = wrong[0]?.tMs ?? Number.POSITIVE_INFINITY;
  const reads = at
    .tap()
    .filter((l) => l.device === "x" && l.tMs > killedMs && l.tMs < firstWrong && !isWrite(l));
  if (wrong.length > 0) expect(reads.length).toBeGreaterThan(2);
}, 120_000);

test("MO-23: driver held for 1 s mid-move, then let go: stopped, reset, and in use again as it is", async () => {
  const { cell: at, run } = await movingCell();
  const pid = at.childPid("--device", "x");
  const heldMs = at.kill("SIGSTOP", "--device", "x");
  const stop = await until("the guardian stopped x", () => firstStop(at.tap(), "x", heldMs), 3000);
  process.stdout.write(`driver held → stop at x after ${(stop.tMs - heldMs).toFixed(1)} ms\n`);
  await sleep(1000);
  at.kill("SIGCONT", "--device", "x");
  const { state } = await at.ended(run, 30_000);
  expect(["madeSafe", "stopped"]).toContain(state);
  await allStill(at);
  if (state === "stopped") await at.post(`/runs/${run}/abandon`);
  // The operator's reset; no stop of a person is latched, so it names none.
  const reset = await at.post("/reset", { stops: [] });
  expect(reset.status, JSON.stringify(reset.body)).toBeLessThan(300);
  let last: unknown;
  const usable = async () => {
    last = await at.run("home-cell").catch((thrown: unknown) => String(thrown));
    return typeof last === "object" && last !== null && "state" in last
      ? last.state === "completed"
      : undefined;
  };
  await until("the cell runs again", usable, 40_000).catch(() => undefined);
  expect(last).toMatchObject({ state: "completed" });
  // The same process: nothing was restarted for it.
  expect(at.childPid("--device", "x")).toBe(pid);
}, 150_000);

test("broker killed mid-move: axes stop within the lease, the cell comes back", async () => {
  const { cell: at } = await movingCell();
  const pid = at.childPid("broker/main.js");
  const heldMs = at.kill("SIGSTOP", "broker/main.js");
  const stop = await until(
    "x got its stop",
    () => firstStop(at.tap(), "x", heldMs) ?? !moving(at.tap(), "x"),
    6000,
  );
  if (typeof stop === "object") {
    process.stdout.write(`broker held → stop at x after ${(stop.tMs - heldMs).toFixed(0)} ms\n`);
  }
  await until("x stands still", () => !moving(at.tap(), "x"), 8000);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  await until(
    "the cell is back",
    async () => {
      const state = (await at.get<{ state: string }>("/cell"))?.state;
      return state !== undefined && state !== "unknown";
    },
    20_000,
  );
  await sleep(500);
  await allStill(at);
}, 120_000);

test("supervisor killed mid-move: every axis stops and every process exits", async () => {
  const { cell: at } = await movingCell();
  const pids = ["bus", "driver", "coordinator", "gateway", "broker"]
    .map((name) => at.childPid(`${name}/main.js`))
    .filter((pid): pid is number => pid !== undefined);
  const sim = at.childPid("simulators/main.js");
  expect(pids.length).toBe(5);
  const killedMs = at.kill("SIGKILL");
  await until(
    "x got its stop or stands still",
    () => firstStop(at.tap(), "x", killedMs) !== undefined || !moving(at.tap(), "x"),
    5000,
  );
  await until(
    "every process is gone",
    () => [...pids, sim ?? 0].every((pid) => pid === 0 || !alive(pid)),
    20_000,
  );
  const tap = at.tap();
  for (const axis of all) expect(moving(tap, axis)).toBe(false);
}, 120_000);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
