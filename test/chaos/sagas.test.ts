/**
 * What the language of sagas adds, attacked on one cell of real processes.
 *
 * The idea: several ways at once, attempts, plans, parking and questions each meet a person's stop,
 * a sick device or a killed coordinator, and are judged at the simulator's tap: triggers are
 * counted there, and the services' own word is never enough. It refuses to end a process that it
 * did not start.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { withAttacked, writeAttacked } from "../fixtures/attacked-sagas.js";
import { monotonicMs, sleep, type TapLine, until } from "../fixtures/cell-process.js";
import { LivingCell } from "../fixtures/living-cell.js";
import { triggerFrame } from "../fixtures/stop-frames.js";

let at: LivingCell;
beforeAll(async () => {
  at = await LivingCell.start(withAttacked, writeAttacked);
  await at.back();
}, 90_000);
afterAll(async () => {
  await at?.close();
}, 30_000);

/** The story, then the way back, whatever the story said. */
function story(title: string, tell: () => Promise<void>): void {
  test(title, async () => {
    try {
      await tell();
    } finally {
      await at.sim({ kind: "clear" });
      await at.back();
    }
  }, 90_000);
}

interface Shown {
  readonly state: string;
  readonly cause: { readonly code: string; readonly text: string };
  readonly waits?: string;
  readonly asks?: readonly { readonly step: string }[];
  readonly steps: readonly {
    readonly name: string;
    readonly status: string;
    readonly safe: string;
  }[];
}
const shown = (run: string) => at.cell.get<Shown>(`/runs/${run}`);
const statusOf = async (run: string, step: string) =>
  (await shown(run))?.steps.find(({ name }) => name === step)?.status;
const stepIs = (run: string, step: string, status: string) =>
  until(`${step} is ${status}`, async () => (await statusOf(run, step)) === status, 12_000);
const stateIs = (state: string) =>
  until(`the cell is ${state}`, async () => (await at.state()) === state, 8000);
const moving = (axis: string) =>
  until(`${axis} moves`, () => at.moves(axis), 12_000).then(() => sleep(200));

/** z: gear 2:1, pitch 10 mm. */
const countsPerMm = (65_536 * 2) / 10;
const gantry = ["x", "y", "z"] as const;
function triggersOf(fromMs: number): { readonly [axis: string]: number } {
  return Object.fromEntries(gantry.map((axis) => [axis, at.triggers(axis, fromMs)]));
}
const none = { x: 0, y: 0, z: 0 };

/**
 * Stopped by a person: all stand, the run waits, and nothing starts for a while after. A stop that
 * is in progress since `sinceMs` may be joined [PROTOCOL 5].
 */
async function stopsAndStays(run: string, axes: readonly string[], sinceMs?: number) {
  const stopMs = monotonicMs();
  expect((await at.cell.post("/stop")).status).toBe(200);
  for (const axis of axes) {
    await until(`${axis} got its stop`, () => at.firstStop(axis, sinceMs ?? stopMs), 3000);
    await at.still(axis);
  }
  expect((await at.ended(run)).state).toBe("stopped");
  await sleep(800);
  const firsts = axes.map((axis) => at.firstStop(axis, stopMs)?.tMs ?? stopMs);
  for (const [i, axis] of axes.entries()) expect(at.triggers(axis, firsts[i] ?? 0)).toBe(0);
  expect(triggersOf(Math.max(stopMs, ...firsts))).toEqual(none);
  for (const axis of gantry) expect(at.moves(axis)).toBe(false);
}

async function killCoordinator(): Promise<number> {
  const killedMs = at.cell.kill("SIGKILL", "coordinator/main.js");
  await until("the old one is not believed", async () => (await at.state()) === "unknown", 5000);
  return killedMs;
}

story("parallel: x and y move; STOP: both stop, and no branch begins its next step", async () => {
  const { run, fromMs } = await at.begin("both");
  await moving("x");
  await moving("y");
  expect(triggersOf(fromMs)).toMatchObject({ x: 1, y: 1 });
  await stopsAndStays(run, ["x", "y"]);
});

story(
  "parallel: coordinator killed with x and y moving: both stop, once each, made safe",
  async () => {
    const { run, fromMs } = await at.begin("both");
    await moving("x");
    await moving("y");
    const killedMs = at.cell.kill("SIGKILL", "coordinator/main.js");
    for (const axis of ["x", "y"]) {
      await until(`${axis} got its stop`, () => at.firstStop(axis, killedMs), 3000);
    }
    expect((await at.ended(run)).state).toBe("madeSafe");
    expect(triggersOf(fromMs)).toMatchObject({ x: 1, y: 1 });
  },
);

story("first: the branch that is left is stopped and stands before the next step", async () => {
  const { run, fromMs } = await at.begin("first");
  await until("y is commanded", () => at.triggers("y", fromMs) > 0, 15_000);
  const isStart = (axis: string) =>
    at.tap.find((l) => {
      return l.device === axis && l.tMs > fromMs && l.kind === "motion" && l.moving === true;
    });
  const xMs = isStart("x")?.tMs ?? Number.NaN;
  const stop = at.firstStop("x", xMs);
  const next = await until("y moves", () => isStart("y"), 5000);
  const rest = at.tap.find((l) => {
    return l.device === "x" && l.kind === "motion" && l.moving === false && l.tMs > xMs;
  });
  expect(stop?.tMs).toBeLessThan(next.tMs);
  expect(rest?.tMs).toBeLessThan(next.tMs);
  expect(at.triggers("x", fromMs)).toBe(1);
  await stopsAndStays(run, ["y"]);
});

/** The first attempt is late and is being stopped. One trigger to come near, one for it. */
async function lateTry() {
  const { run, fromMs } = await at.begin("again");
  await stepIs(run, "near", "done").catch(async (thrown) => {
    throw new Error(`${String(thrown)}: ${JSON.stringify(await at.record(run))}`);
  });
  const started = await until("x was triggered", () => at.tap.filter(isOfX(fromMs))[1], 5000);
  const stop = await until("x got its stop", () => at.firstHalt("x", started.tMs), 8000);
  return { run, fromMs, stop };
}
const isOfX = (fromMs: number) => (l: TapLine) =>
  l.device === "x" && l.tMs > fromMs && isTrigger(l);
const isTrigger = (l: { device: string; pdu?: string }) => triggerFrame(l.device, l.pdu ?? "");

story(
  "SG-11: an attempt that is late: stop, seen still, then one second start; one outcome",
  async () => {
    const { run, fromMs, stop } = await lateTry();
    const end = await at.ended(run);
    const triggers = at.tap.filter(isOfX(fromMs));
    expect(triggers.length, JSON.stringify(end.cause)).toBe(3);
    expect(stop.tMs).toBeLessThan(triggers[2]?.tMs ?? 0);
    const before = at.tap.filter((l) => l.device === "x" && l.kind === "motion");
    expect(before.findLast((l) => l.tMs < (triggers[2]?.tMs ?? 0))?.moving).not.toBe(true);
    expect(end.state).toBe("completed");
    expect((await shown(run))?.steps.find(({ name }) => name === "x-try")).toMatchObject({
      status: "done",
      attempts: 2,
    });
  },
);

story("retry: coordinator killed while the first attempt is stilled: no second start", async () => {
  const { run, fromMs } = await lateTry();
  const killedMs = at.cell.kill("SIGKILL", "coordinator/main.js");
  expect(["madeSafe", "needsOperator"]).toContain((await at.ended(run)).state);
  expect(triggersOf(killedMs)).toEqual(none);
  expect(at.triggers("x", fromMs)).toBe(2);
});

story("retry: STOP while the first attempt is stilled: no second start", async () => {
  const { run, fromMs, stop } = await lateTry();
  await stopsAndStays(run, ["x"], stop.tMs - 1);
  expect(at.triggers("x", fromMs)).toBe(2);
});

story(
  "retry: held while the first attempt is stilled: the second start waits for unhold",
  async () => {
    const { run, fromMs } = await lateTry();
    expect((await at.cell.post("/hold")).status).toBe(202);
    await stateIs("Held");
    await sleep(500);
    expect(at.triggers("x", fromMs)).toBe(2);
    await at.cell.post("/unhold");
    expect((await at.ended(run)).state).toBe("completed");
    expect(at.triggers("x", fromMs)).toBe(3);
  },
);

story("orElse: the belt is excluded: the plan moves y; the belt gets nothing", async () => {
  expect((await at.cell.post("/exclude", { device: "conveyor" })).status).toBe(202);
  try {
    const { run, fromMs } = await at.begin("plan");
    await until("y moves by the plan", () => at.triggers("y", fromMs) > 0, 10_000);
    expect((await at.ended(run)).state).toBe("completed");
    expect(triggersOf(fromMs)).toMatchObject({ x: 0, y: 1 });
    expect(at.others("conveyor", fromMs)).toEqual([]);
  } finally {
    await at.cell.post("/include", { device: "conveyor" });
  }
});

story("orElse: the belt's answers are lost: no plan once anything was sent to it", async () => {
  const { run, fromMs } = await at.begin("plan");
  await stepIs(run, "raise", "done");
  await at.sim({ kind: "fault", device: "conveyor", fault: "drop", value: "replies" });
  const { state, cause } = await at.ended(run);
  const written = at.others("conveyor", fromMs).length;
  const planned = at.triggers("y", fromMs);
  expect([written > 0 && planned > 0, state === "completed" && planned === 0]).toEqual([
    false,
    false,
  ]);
  // What failed by anything else than a refusal of the belt takes no plan.
  const belt = await statusOf(run, "belt");
  if (belt !== "refused") expect([planned, state], cause.text).not.toEqual([1, "completed"]);
  expect(planned).toBe(belt === "refused" && state === "completed" ? 1 : 0);
});

story(
  "hold while x moves: the move ends, Held, nothing more until unhold; then STOP in Held",
  async () => {
    const { run, fromMs } = await at.begin("ways");
    await moving("x");
    expect((await at.cell.post("/hold")).status).toBe(202);
    await stateIs("Held");
    expect(await statusOf(run, "x-one")).toBe("done");
    await sleep(700);
    expect(triggersOf(fromMs)).toMatchObject({ x: 1, y: 0 });
    expect(at.moves("x")).toBe(false);
    expect((await at.cell.post("/unhold")).status).toBe(202);
    await until("x moves on", () => at.triggers("x", fromMs) === 2, 5000);
    await at.cell.post("/suspend");
    await stateIs("Suspended");
    await stopsAndStays(run, ["x"]);
    expect((await at.cell.post("/unsuspend")).status).toBe(409);
    expect(at.triggers("x", fromMs)).toBe(2);
  },
);

story(
  "held, coordinator killed in the move: x stops; nothing restarts before a person's word",
  async () => {
    const { run, fromMs } = await at.begin("ways");
    await moving("x");
    await at.cell.post("/hold");
    await killCoordinator();
    await at.still("x");
    await until("a new one answers", async () => (await at.state()) !== "unknown", 10_000);
    await sleep(2500);
    expect(at.triggers("x", fromMs)).toBe(1);
    expect(at.moves("x")).toBe(false);
    const state = (await shown(run))?.state;
    if (state === "running") await at.cell.post(`/runs/${run}/cancel`);
    expect((await at.ended(run)).state).toBe("madeSafe");
  },
);

story(
  "resume: killed during a move: settled by query, never a second trigger of one id",
  async () => {
    const { run, fromMs } = await at.begin("ways");
    await moving("x");
    const killedMs = await killCoordinator();
    await until("x got its stop", () => at.firstStop("x", killedMs), 3000);
    // The move was stopped short, and nothing may repeat it.
    expect((await at.ended(run)).state).toBe("madeSafe");
    expect(at.triggers("x", fromMs)).toBe(1);
  },
);

story(
  "resume: killed in a dwell: it goes on to its due time, and no axis moves again",
  async () => {
    const { run, fromMs } = await at.begin("ways");
    await stepIs(run, "rest", "running");
    const before = triggersOf(fromMs);
    await killCoordinator();
    expect((await at.ended(run)).state).toBe("completed");
    expect(triggersOf(fromMs)).toEqual(before);
  },
);

story(
  "ask: killed while it asks: made safe, nothing moves by an answer that comes late",
  async () => {
    const { run, fromMs } = await at.begin("question");
    await until("it asks", async () => (await shown(run))?.asks?.length === 1, 10_000);
    const answer = { step: "which", choice: "far" };
    const killedMs = await killCoordinator();
    await at.ended(run);
    expect((await at.cell.post(`/runs/${run}/answer`, answer)).status).toBe(409);
    await sleep(500);
    expect(triggersOf(killedMs)).toMatchObject({ x: 0, y: 0 });
    expect(triggersOf(fromMs)).toMatchObject({ x: 0, y: 0 });
  },
);

story(
  "ask: a wrong choice is refused; one answer, given twice at once, moves x once; STOP",
  async () => {
    const { run, fromMs } = await at.begin("question");
    await until("it asks", async () => (await shown(run))?.asks?.length === 1, 10_000);
    const say = (choice: string) => at.cell.post(`/runs/${run}/answer`, { step: "which", choice });
    expect((await say("sideways")).status).toBeGreaterThanOrEqual(400);
    const both = await Promise.all([say("far"), say("near")]);
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    const axis = both[0]?.status === 202 ? "x" : "y";
    await until("the one moves", () => at.triggers(axis, fromMs) === 1, 5000);
    await stopsAndStays(run, [axis]);
    expect(triggersOf(fromMs)).toMatchObject({ x: axis === "x" ? 1 : 0, y: axis === "y" ? 1 : 0 });
  },
);

story("ask: nobody answers, STOP while it asks: stopped, and an answer moves nothing", async () => {
  const { run } = await at.begin("question");
  await until("it asks", async () => (await shown(run))?.asks?.length === 1, 10_000);
  await stopsAndStays(run, ["x"]);
  const late = await at.cell.post(`/runs/${run}/answer`, { step: "which", choice: "far" });
  expect(late.status).toBe(409);
});

story(
  "cancel: a second one is harmless, one in makeSafe breaks nothing off: z ends its way",
  async () => {
    const { run, fromMs } = await at.begin("gentle");
    await moving("x");
    const first = await at.cell.post(`/runs/${run}/cancel`);
    expect(first.status).toBe(202);
    await until("z makes itself safe", () => at.triggers("z", fromMs) === 2, 10_000);
    await sleep(300);
    const again = await at.cell.post(`/runs/${run}/cancel`);
    expect([202, 409]).toContain(again.status);
    expect((await at.ended(run)).state).toBe("madeSafe");
    await at.still("z");
    const z = at.tap.findLast((l) => l.device === "z" && l.kind === "motion");
    console.log(
      JSON.stringify(await shown(run)),
      JSON.stringify(
        at.tap.filter(
          (l) => l.device === "z" && l.tMs > fromMs && (l.kind === "motion" || isTrigger(l)),
        ),
      ),
    );
    expect((z?.position ?? 0) / countsPerMm).toBeCloseTo(60, 0);
    expect(triggersOf(fromMs)).toMatchObject({ x: 1, z: 2 });
  },
);

story(
  "MQ-01: 20 starts of one id at once: one run, one trigger; other inputs are refused",
  async () => {
    const fromMs = monotonicMs();
    const start = (to: number) =>
      at.cell.post("/runs", { saga: "given", run: `one-${fromMs.toFixed(0)}`, inputs: { to } });
    const all = await Promise.all(Array.from({ length: 20 }, () => start(70)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([202]));
    const { run = "" } = (all[0]?.body ?? {}) as { run?: string };
    expect((await start(90)).status).toBe(409);
    expect((await at.ended(run)).state).toBe("completed");
    expect((await start(90)).status).toBe(409);
    expect((await start(70)).status).toBe(202);
    await sleep(500);
    expect(at.triggers("z", fromMs)).toBe(1);
  },
);
