/**
 * Many runs at once, and many one after another, with the whole coordinator.
 *
 * The idea: 200 runs want random ones of 50 devices; who had a device when is read off what
 * reached the drivers. Then thousands in a row, after which the coordinator keeps as much as
 * before. It refuses real time.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
import { answersMax } from "../../../services/coordinator/door-answer.js";
import { overtakesMax } from "../../../services/coordinator/lock.machine.js";
import { openRunsMax } from "../../../services/coordinator/run-desk.js";
import { writtenOf } from "../../fixtures/config/written-condition.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";
import { liveEntries } from "../../fixtures/coordinator/live-entries.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const devices = Array.from({ length: 50 }, (_, i) => `d${i}`);
const priorityDefault = 5;

/** A small generator of its own, so that every run of the test is the same. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Saga i moves one to four devices, each to i, one after another. */
function randomSagas(count: number): readonly SagaDefinition[] {
  const below = random(7);
  return Array.from({ length: count }, (_, i): SagaDefinition => {
    const uses = new Set(Array.from({ length: 1 + below(4) }, () => `d${below(devices.length)}`));
    const steps = [...uses].sort().map((device, at) => move(`m${at}`, device, i));
    const priority = below(3) === 0 ? below(10) : priorityDefault;
    return { ...saga(`s${i}`, [...uses].sort(), steps), priority };
  });
}

function slowly(c: CoordinatorCell): void {
  for (const driver of c.drivers.values()) {
    driver.scripts.set("moveTo", { afterMs: 200, verdict: { verdict: "done", result: {} } });
  }
}

async function rows(c: CoordinatorCell, sql: string) {
  const [found = []] = await c.store.inner.tx([{ sql }], { durable: false });
  return found;
}

/** The numbers of the runs that had the device, in their order; each once, or they were mixed. */
function turnsAt(c: CoordinatorCell, device: string): readonly number[] {
  const owners = c.driver(device).triggers.map(({ args }) => Number(args.position));
  return owners.filter((owner, i) => owner !== owners[i - 1]);
}

/** For each run: the later ones that had one of its devices before it. */
function passesOf(c: CoordinatorCell): ReadonlyMap<number, ReadonlySet<number>> {
  const passes = new Map<number, Set<number>>();
  for (const device of devices) {
    const turns = turnsAt(c, device);
    for (const [at, run] of turns.entries()) {
      const by = passes.get(run) ?? new Set();
      for (const before of turns.slice(0, at)) if (before > run) by.add(before);
      passes.set(run, by);
    }
  }
  return passes;
}

test("200 runs over random ones of 50 devices: all end, nobody is passed beyond the bound, nothing stays locked", async () => {
  const sagas = randomSagas(200);
  const c = new CoordinatorCell(cellConfig(devices, [...sagas]));
  slowly(c);
  await c.start();
  for (const [i, { name }] of sagas.entries()) {
    c.send("runCommand", "start", { saga: name, run: `r${i}`, wait: true });
  }
  await c.run(1000);
  const shown = c.bus.of("stateRun").at(-1)?.runs ?? [];
  const waits = shown.flatMap(({ waits }) => waits ?? []);
  expect(waits.length).toBeGreaterThan(100);
  const one = "d\\d+ \\(the run r\\d+ (has it|is before it)\\)";
  for (const text of waits) expect(text).toMatch(new RegExp(`^waits for ${one}(, ${one})*$`));
  await c.run(60_000);
  expect(c.responses.filter(({ status }) => status !== "succeeded")).toEqual([]);
  const ended = await rows(c, "SELECT run, state FROM runs");
  expect(ended.filter(({ state }) => state !== "completed")).toEqual([]);
  expect(ended).toHaveLength(200);
  for (const device of devices) {
    const turns = turnsAt(c, device);
    // Nobody came between two commands of one run.
    expect(new Set(turns).size, device).toBe(turns.length);
  }
  const passes = passesOf(c);
  expect(passes.size).toBe(200);
  const priorityOf = (run: number) => sagas[run]?.priority ?? -1;
  for (const [run, by] of passes) {
    expect(by.size, `r${run}`).toBeLessThanOrEqual(overtakesMax);
    for (const other of by) expect(priorityOf(other)).toBeGreaterThan(priorityOf(run));
  }
  // Priorities were at work, or the bound was never tried.
  expect(Math.max(...[...passes.values()].map(({ size }) => size))).toBeGreaterThan(3);
  expect(await rows(c, "SELECT * FROM locks")).toEqual([]);
  expect(c.cellState).toBe("Complete");
}, 120_000);

test("as many runs as may be open wait for one device; one more is refused by name, and all end", async () => {
  const rest = step("rest", { action: { kind: "dwell", forMs: 100 } });
  const c = new CoordinatorCell(cellConfig(["x"], [saga("one", ["x"], [rest])]));
  await c.start();
  for (let i = 0; i <= openRunsMax; i += 1) {
    c.send("runCommand", "start", { saga: "one", run: `r${i}`, wait: true });
  }
  await c.run(100);
  const refused = c.responses.filter(({ status }) => status === "failed");
  const message = `${openRunsMax} runs are open already.`;
  expect(refused).toMatchObject([{ error: { code: "STATE_CONFLICT", message } }]);
  await c.run(openRunsMax * 200);
  const ended = await rows(c, "SELECT run FROM runs WHERE state = 'completed' ORDER BY ended_ts");
  expect(ended.map(({ run }) => run)).toEqual(
    Array.from({ length: openRunsMax }, (_, i) => `r${i}`),
  );
}, 120_000);

test("a run that ends after thirty others which began after it is among those that are shown", async () => {
  const long = step("rest", { action: { kind: "dwell", forMs: 20_000 } });
  const short = step("rest", { action: { kind: "dwell", forMs: 10 } });
  const sagas = [saga("long", ["x"], [long]), saga("short", ["z"], [short])];
  const c = new CoordinatorCell(cellConfig(["x", "z"], sagas));
  await c.start();
  c.send("runCommand", "start", { saga: "long", run: "long-1" });
  await c.run(100);
  for (let i = 0; i < 30; i += 1) {
    c.send("runCommand", "start", { saga: "short", run: `short-${i}` });
    await c.run(300);
  }
  await c.run(20_000);
  const shown = c.bus
    .of("stateRun")
    .at(-1)
    ?.runs.map(({ run, state }) => `${run} ${state}`);
  expect(shown?.slice(0, 2)).toEqual(["long-1 completed", "short-29 completed"]);
});

/** Lets runs of one device each start and end, eight at a time. */
async function inSequence(c: CoordinatorCell, from: number, count: number): Promise<void> {
  const wide = 8;
  for (let i = from; i < from + count; i += wide) {
    for (let at = 0; at < wide; at += 1) {
      c.send("runCommand", "start", { saga: `w${at}`, run: `q${i + at}`, wait: true });
    }
    await c.run(250);
    // What the test's own fixtures keep is not the coordinator's.
    c.bus.published.length = 0;
    c.responses.length = 0;
    for (const driver of c.drivers.values()) {
      driver.triggers.length = 0;
      driver.forgetAnswers();
    }
  }
  await c.run(1000);
}

const exposed = () => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
};

function heapBytes(gc: () => void): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

test("2,000 runs one after another, once as many requests are kept as may be: nothing grows", async () => {
  const few = devices.slice(0, 4);
  const sagas = Array.from({ length: 8 }, (_, i): SagaDefinition => {
    const device = `d${i % few.length}`;
    const terms = [{ device, field: "moving", op: "==", value: false }] as const;
    const condition = writtenOf({ text: `not ${device}.moving`, terms });
    const seen = step("seen", { action: { kind: "waitFor", condition } });
    return saga(`w${i}`, [device], [move("go", device, i), seen]);
  });
  const c = new CoordinatorCell(cellConfig(few, sagas));
  await c.start();
  const gc = exposed();
  const kept = () => liveEntries(c.app ?? {}, [c.bus, c.sockets, c.store, c.config]);
  // Answers to requests are kept, so many and no more.
  await inSequence(c, 0, answersMax);
  const before = { entries: kept(), bytes: heapBytes(gc) };
  await inSequence(c, answersMax, 2000);
  const after = { entries: kept(), bytes: heapBytes(gc) };
  expect(await rows(c, "SELECT count(*) AS n FROM runs WHERE state = 'completed'")).toEqual([
    { n: answersMax + 2000 },
  ]);
  expect(before.entries).toBeGreaterThan(100);
  expect(after.entries).toBe(before.entries);
  // The state of a run alone is more than a kilobyte; what compilers keep comes and goes.
  expect(after.bytes - before.bytes).toBeLessThan(1_000_000);
}, 240_000);
