/**
 * What the demo cell does when something fails: the order at the tap, the end, the exit code.
 *
 * The idea: the simulator's tap is the witness. Stops first, to every axis of the run; then
 * makeSafe in reverse order; then nothing. It refuses to believe the services' own word.
 */
import { expect, test } from "vitest";
import {
  CellProcess,
  isWrite,
  makeCellFolder,
  monotonicMs,
  type TapLine,
  until,
} from "../fixtures/cell-process.js";
import { stopFrame } from "../fixtures/stop-frames.js";

const axes = ["x", "y", "z", "gripper", "conveyor"];

/** The index of the first stop frame after which every axis of the run has had one. */
function stopsAfter(tap: readonly TapLine[], from: number) {
  const first = new Map<string, number>();
  for (const [i, line] of tap.entries()) {
    if (i < from || line.pdu === undefined || !isWrite(line)) continue;
    if (stopFrame(line.device, line.pdu) && !first.has(line.device)) first.set(line.device, i);
  }
  return first;
}

// Set a step before, so that it is there however late it is heard that the grip begins.
test("noPart at grip: stops to all axes, then makeSafe in reverse order, then nothing (exit 2)", async () => {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder, ["--once", "pick-place", "--fault", "gripper=noPart@lower"]);
  expect(await cell.exit(), cell.output + cell.errors).toBe(2);
  expect(cell.output).toContain("madeSafe");
  const tap = cell.tap();
  // The fingers were told to close; the fault shows when they meet nothing.
  const grip = tap.findIndex((l) => /^1003e8000306090000ff/.test(l.pdu ?? ""));
  expect(grip).toBeGreaterThan(0);
  const firstStops = stopsAfter(tap, grip + 1);
  expect([...firstStops.keys()].sort()).toEqual([...axes].sort());
  const lastFirstStop = Math.max(...firstStops.values());
  const writesAfterFault = tap
    .map((line, i) => ({ line, i }))
    .filter(({ line, i }) => i > Math.min(...firstStops.values()) && isWrite(line));
  const early = writesAfterFault.filter(
    ({ line, i }) => i < lastFirstStop && !stopFrame(line.device, line.pdu ?? ""),
  );
  expect(early.map(({ line }) => `${line.device} ${line.pdu}`)).toEqual([]);
  const safe = writesAfterFault
    .filter(({ line, i }) => i > lastFirstStop && !stopFrame(line.device, line.pdu ?? ""))
    .map(({ line }) => line.device);
  const order = safe.filter((device, i) => safe[i - 1] !== device);
  expect(order.indexOf("gripper")).toBeLessThan(order.indexOf("z"));
}, 120_000);

test("z stuck at lift: needs an operator, names z and the choices, others made safe (exit 3)", async () => {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder, ["--once", "pick-place", "--fault", "z=stuck@lift"]);
  expect(await cell.exit(120_000), cell.output + cell.errors).toBe(3);
  expect(cell.output).toContain("needsOperator");
  expect(cell.output).toMatch(/\bz\b/);
  for (const choice of ["retry", "abandon"]) expect(cell.output).toContain(choice);
}, 150_000);

test("STOP during the run: only stops and reads follow until makeSafe is asked for (exit 4)", async () => {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder, []);
  await cell.ready();
  try {
    expect((await cell.run("home-cell")).state).toBe("completed");
    const started = await cell.post("/runs", { saga: "pick-place" });
    const { run } = started.body as { run: string };
    const fromMs = monotonicMs();
    await until("x moves", () => {
      const last = cell.tap().findLast((l) => l.device === "x" && l.kind === "motion");
      return last?.moving === true && last.tMs > fromMs;
    });
    const stopMs = monotonicMs();
    const stop = await cell.post("/stop");
    expect(stop.status).toBe(200);
    expect((await cell.ended(run)).state).toBe("stopped");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const tap = cell.tap();
    for (const device of axes) {
      const own = tap.filter((l) => l.device === device && l.tMs > stopMs && isWrite(l));
      const first = own.findIndex((l) => stopFrame(device, l.pdu ?? ""));
      expect(first, `${device} got no stop`).toBeGreaterThanOrEqual(device === "gripper" ? -1 : 0);
      const wrong = own.slice(Math.max(0, first)).filter((l) => !stopFrame(device, l.pdu ?? ""));
      expect(wrong.map((l) => `${device} ${l.pdu}`)).toEqual([]);
    }
    const refused = await cell.post("/runs", { saga: "home-cell" });
    expect(refused.status).toBe(409);
    const safe = await cell.post(`/runs/${run}/makeSafe`);
    expect(safe.status).toBe(202);
    await until(
      "the run is made safe",
      async () => {
        return (await cell.get<{ state: string }>(`/runs/${run}`))?.state === "madeSafe";
      },
      30_000,
    );
  } finally {
    await cell.close();
  }
}, 120_000);

test("STOP during --once pick-place: the command ends with 4 and says what may be chosen", async () => {
  const folder = await makeCellFolder();
  const cell = new CellProcess(folder, ["--once", "pick-place"]);
  // A step is printed when it has ended: the next one is under way.
  await until(
    "pick-place is under way",
    () => {
      if (cell.exitCode !== undefined) throw new Error(`ended: ${cell.output}${cell.errors}`);
      return /above-pick-x|open {2}/.test(cell.output) ? true : undefined;
    },
    60_000,
  );
  expect((await cell.post("/stop")).status).toBe(200);
  expect(await cell.exit(), cell.output + cell.errors).toBe(4);
  expect(cell.output).toContain("stopped");
  for (const choice of ["makeSafe", "abandon"]) expect(cell.output).toContain(choice);
}, 120_000);
