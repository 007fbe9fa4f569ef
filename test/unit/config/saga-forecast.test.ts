/**
 * Sagas walked through beforehand: times, refusals on the way, what would make them safe.
 * The idea: small trees over real profiles, with numbers that are worked out by hand. It refuses
 * devices.
 */
import { expect, test } from "vitest";
import type { AxisSetup } from "#drivers/device-model.js";
import { loadProfile } from "#drivers/profile-loader.js";
import { parseCondition } from "#kernel/config/condition.js";
import type { Expression, Written } from "#kernel/config/expression.js";
import { travelMs } from "#kernel/config/motion-time.js";
import type { SagaAction, SagaDefinition, SagaStepDefinition } from "#kernel/config/saga.js";
import { type ForecastCell, forecastSaga } from "#kernel/config/saga-forecast.js";
import { writtenOf } from "../../fixtures/config/written-condition.js";

const linear: AxisSetup = {
  kind: "linear",
  unit: "mm",
  countsPerRev: 65536,
  gear: { motor: 1, output: 1 },
  perRev: 10,
  travel: { min: 0, max: 500 },
  velocityMax: 100,
  accelerationMax: 1000,
  tolerance: 0.1,
  whenOff: "stays",
};

function profile(id: string) {
  const loaded = loadProfile(id);
  if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
  return loaded.value;
}

function condition(text: string) {
  const boolean = /homed|gripped/.test(text);
  const parsed = parseCondition(text, () =>
    boolean ? { kind: "boolean" } : { kind: "number", unit: "mm" },
  );
  if (!parsed.ok) throw new Error(parsed.problems[0]);
  return parsed.condition;
}

const kinco = profile("kinco/fd5p");
const cell: ForecastCell = {
  devices: [
    { id: "x", profile: kinco, axis: linear },
    { id: "z", profile: kinco, axis: linear },
    { id: "gripper", profile: profile("robotiq/2f") },
    {
      id: "belt",
      profile: profile("abb/drives-profile"),
      axis: { ...linear, unit: "percent", velocityMax: 100, accelerationMax: 50 },
    },
  ],
  interlocks: [{ name: "z-up", moves: ["x"], require: condition("z.position >= 50 mm") }],
};

function step(name: string, action: SagaAction, more: Partial<SagaStepDefinition> = {}) {
  return {
    name,
    text: name,
    timeoutMs: 10_000,
    action,
    makeSafe: { kind: "none" },
    ...more,
  } as const;
}
function move(
  name: string,
  device: string,
  position: number,
  more: Partial<SagaStepDefinition> = {},
) {
  const operation = { device, verb: "moveTo", args: { position, velocity: 100 } };
  const back = { device, verb: "moveTo", args: { position: 100, velocity: 100 } };
  const makeSafe = { kind: "operations", operations: [back] } as const;
  return step(name, { kind: "operation", operation }, { makeSafe, ...more });
}
function written(text: string, expression: Expression): Written {
  return { text, expression };
}
const input = (name: string): Expression => ({ kind: "input", name });
const literal = (value: number): Expression => ({ kind: "literal", value });
const less = (left: Expression, right: number): Expression => {
  return { kind: "binary", op: "<", left, right: literal(right) };
};

function saga(steps: readonly SagaStepDefinition[], more: Partial<SagaDefinition> = {}) {
  const head = { name: "s", title: "s", version: "1", file: "s.yaml", uses: [] };
  return { ...head, onRestart: "makeSafe", steps, ...more } as SagaDefinition;
}

const at = { x: 0, z: 100 };

test("travel: a trapezoid (200 mm), a triangle (4 mm) and uneven ramps", () => {
  const even = { velocity: 100, acceleration: 1000, deceleration: 1000 };
  // 0.1 s up, 0.1 s down, 10 mm on the ramps; the rest at 100 mm/s.
  expect(travelMs(200, even)).toBeCloseTo(2100, 6);
  expect(travelMs(-200, even)).toBeCloseTo(2100, 6);
  // Peak 63.2 mm/s: 2 × 63.2 / 1000 s.
  expect(travelMs(4, even)).toBeCloseTo(2 * Math.sqrt(4 * 1000), 0);
  expect(travelMs(200, { ...even, deceleration: 500 })).toBeCloseTo(2150, 6);
  expect(travelMs(0, even)).toBe(0);
});

test("steps in turn: each starts where the one before ended; the total is their sum", () => {
  const forecast = forecastSaga(saga([move("a", "z", 300), move("b", "z", 100)]), cell, { at });
  expect(forecast.steps.map((one) => one.time)).toEqual([
    { fromMs: 2100, toMs: 2100 },
    { fromMs: 2100, toMs: 2100 },
  ]);
  expect(forecast).toMatchObject({ total: { fromMs: 4200, toMs: 4200 }, depends: [] });
});

test("no place is known at the start: from nothing to the whole travel, and on what it depends", () => {
  const { steps } = forecastSaga(saga([move("a", "z", 300), move("b", "z", 100)]), cell);
  expect(steps[0]).toMatchObject({ depends: ["where z stands"], overdue: false });
  expect(steps[0]?.time.fromMs).toBe(0);
  expect(steps[0]?.time.toMs).toBeCloseTo(5100, 6);
  expect(steps[1]?.time).toEqual({ fromMs: 2100, toMs: 2100 });
});

test("a timeout shorter than the motion at the axis' limits is overdue from every start", () => {
  const short = saga([move("a", "z", 300), move("b", "z", 100, { timeoutMs: 2000 })]);
  expect(forecastSaga(short, cell).steps.map((one) => one.overdue)).toEqual([false, true]);
});

test("interlock: refused by name where the place breaks it, open where the place is not known", () => {
  const steps = [move("down", "z", 10), move("over", "x", 200)];
  const low = forecastSaga(saga(steps), cell, { at }).steps[1]?.refusals;
  expect(low).toEqual([
    { code: "INTERLOCKED", certain: true, text: "z-up: z.position is 10, not >= 50" },
  ]);
  const open = forecastSaga(saga([move("over", "x", 200)]), cell, { at: { x: 0 } }).steps[0];
  expect(open?.refusals).toMatchObject([{ code: "INTERLOCKED", certain: false }]);
  expect(open?.refusals[0]?.text).toMatch(/depends on z\.position: where z stands/);
  const up = forecastSaga(saga([move("over", "x", 200)]), cell, { at });
  expect(up.steps[0]?.refusals).toEqual([]);
});

test("limits: a relative move out of the travel and a worked argument beyond its range are refused", () => {
  const by = (distance: number) => {
    const operation = { device: "z", verb: "moveBy", args: { distance, velocity: 100 } };
    return step(`by ${distance}`, { kind: "operation", operation });
  };
  const worked = { position: { value: written("input.h", input("h")), min: 0, max: 400 } };
  const operation = { device: "z", verb: "moveTo", args: { velocity: 100 }, worked };
  const to = step("to", { kind: "operation", operation });
  const inputs = { h: { kind: "number", unit: "mm" } } as const;
  const run = saga([by(300), by(300), to], { inputs });
  const told = forecastSaga(run, cell, { at, inputs: { h: 450 } }).steps;
  expect(told.map((one) => one.refusals.map(({ code }) => code))).toEqual([
    [],
    ["LIMIT_EXCEEDED"],
    ["LIMIT_EXCEEDED"],
  ]);
  expect(told[1]?.refusals[0]?.text).toMatch(/700 mm, outside of 0 … 500/);
  const unknown = forecastSaga(run, cell, { at }).steps[2];
  expect(unknown).toMatchObject({ refusals: [], depends: ["the input h"] });
});

test("readiness: a move before the homing that the saga itself does may be refused, after it is not", () => {
  const home = step("home", {
    kind: "operation",
    operation: { device: "z", verb: "home", args: {} },
  });
  const run = saga([move("early", "z", 100), home, move("late", "z", 200)]);
  const [early, homing, late] = forecastSaga(run, cell, { at }).steps;
  expect(early?.refusals).toMatchObject([{ code: "NOT_HOMED", certain: false }]);
  expect(homing).toMatchObject({ time: { fromMs: 0, toMs: 10_000 }, depends: ["the homing of z"] });
  // From the reference, 0 mm: 10 mm on the ramps, 190 mm at speed.
  expect(late).toMatchObject({ time: { fromMs: 2100, toMs: 2100 }, refusals: [] });
});

test("parallel: the last branch (all) or the first one (first) ends it; others' axes are in motion", () => {
  const tree = (until: "all" | "first") =>
    saga(
      [
        step("both", { kind: "parallel", until, branches: [[1], [2]] }),
        move("far", "z", 400, { parent: 0 }),
        move("over", "x", 100, { parent: 0 }),
        move("after", "z", 100),
      ],
      { body: [0, 3] },
    );
  const all = forecastSaga(tree("all"), cell, { at });
  expect(all.steps[0]?.time.fromMs).toBeCloseTo(3100, 6);
  expect(all.steps[2]?.refusals[0]?.text).toMatch(/z is moved by another branch/);
  expect(all.steps[3]?.time.fromMs).toBeCloseTo(3100, 6);
  const first = forecastSaga(tree("first"), cell, { at });
  // z, that is left behind, takes at most 100 ms from 100 mm/s to a stand.
  expect(first.steps[0]?.time.fromMs).toBeCloseTo(1100, 6);
  expect(first.steps[0]?.time.toMs).toBeCloseTo(1200, 6);
  expect(first.steps[3]).toMatchObject({ depends: ["which branch of both ends first"] });
});

test("choose: a case that is known is taken; else each is walked and the time is a span", () => {
  const inputs = { n: { kind: "number" } } as const;
  const run = saga(
    [
      step("which", {
        kind: "choose",
        cases: [{ when: written("input.n < 5", less(input("n"), 5)), block: [1] }],
        otherwise: [2],
      }),
      move("near", "z", 200, { parent: 0 }),
      move("far", "z", 400, { parent: 0 }),
    ],
    { body: [0], inputs },
  );
  const known = forecastSaga(run, cell, { at, inputs: { n: 1 } });
  expect(known.total).toEqual({ fromMs: 1100, toMs: 1100 });
  expect(known.steps.map((one) => one.turns)).toEqual([1, 1, 0]);
  const open = forecastSaga(run, cell, { at });
  expect(open.total.fromMs).toBeCloseTo(1100, 6);
  expect(open.total.toMs).toBeCloseTo(3100, 6);
  expect(open.depends).toEqual(["the input n"]);
  expect(open.steps.map((one) => one.turns)).toEqual([1, 1, 1]);
});

test("repeat: known turns are walked with their values, open ones are none to the most", () => {
  const next: Expression = {
    kind: "binary",
    op: "+",
    left: { kind: "variable", name: "i" },
    right: literal(1),
  };
  const tree = (action: object) =>
    saga(
      [
        step("zero", { kind: "set", variables: [{ name: "i", value: written("0", literal(0)) }] }),
        step("loop", { kind: "repeat", turnsMax: 50, block: [2, 3], ...action }),
        step("wait", { kind: "dwell", forMs: 100 }, { parent: 1 }),
        step("count", { kind: "set", variables: [{ name: "i", value: written("i + 1", next) }] }),
      ],
      { body: [0, 1], inputs: { n: { kind: "number" } } },
    );
  expect(forecastSaga(tree({ times: 7 }), cell).total).toEqual({ fromMs: 700, toMs: 700 });
  const variable: Expression = { kind: "variable", name: "i" };
  const whilst = written("i < 3", less(variable, 3));
  expect(forecastSaga(tree({ whilst }), cell).total).toEqual({ fromMs: 300, toMs: 300 });
  const open = forecastSaga(tree({ times: written("input.n", input("n")) }), cell);
  expect(open.total).toEqual({ fromMs: 0, toMs: 5000 });
  expect(open.depends).toEqual(["the input n"]);
  const long = forecastSaga(tree({ times: 100_000, turnsMax: 100_000 }), cell);
  expect(long.total.toMs).toBe(10_000_000);
});

test("call: its inputs and variables are its own", () => {
  const inner = step(
    "in/dwell",
    { kind: "dwell", forMs: written("input.ms", input("ms")) },
    { parent: 0 },
  );
  const call = { kind: "call", saga: "in", inputs: { ms: 250 }, block: [1] } as const;
  const run = saga([step("in", call), inner, { ...inner, name: "own" }], { body: [0, 2] });
  const told = forecastSaga(run, cell);
  expect(told.steps[1]?.time).toEqual({ fromMs: 250, toMs: 250 });
  expect(told.steps[2]).toMatchObject({ depends: ["the input ms"] });
});

test("waits: 0 to the timeout, each with what it waits for; one that is met already takes nothing", () => {
  const waitFor = (text: string) =>
    step(text, { kind: "waitFor", condition: writtenOf(condition(text)) });
  const told = forecastSaga(
    saga([
      waitFor("z.position >= 50 mm"),
      waitFor("gripper.gripped == true"),
      step("ask", { kind: "ask", text: "ok?", choices: ["yes"], as: "ok" }),
      step("go", { kind: "signal", signal: "go" }),
      step("seen", { kind: "waitForEvent", event: { kind: "axis", id: "z", type: "done" } }),
    ]),
    cell,
    { at },
  ).steps;
  expect(told.map((one) => one.time.toMs)).toEqual([0, 10_000, 10_000, 10_000, 10_000]);
  expect(told.map((one) => one.depends[0])).toEqual([
    undefined,
    "whether gripper holds a part",
    "the answer to ask",
    "the signal go",
    "the event axis.z.done",
  ]);
});

test("a speed: its ramp where the operation says it (servo); else the drive's own ramp decides", () => {
  const speed = (device: string, velocity: number) =>
    step(`${device} at ${velocity}`, {
      kind: "operation",
      operation: { device, verb: "velocity", args: { velocity } },
    });
  const steps = [speed("z", 40), speed("z", -60), speed("belt", 40)];
  const told = forecastSaga(saga(steps), cell).steps;
  // 1000 mm/s².
  expect(told.map((one) => [one.time.fromMs, one.time.toMs])).toEqual([
    [40, 40],
    [100, 100],
    [0, 10_000],
  ]);
  expect(told[2]?.depends).toEqual(["the ramp set in belt"]);
});

test("make safe: newest first, safeFirst before all, each with its time; unmoved steps add nothing", () => {
  const hold = step(
    "hold",
    { kind: "operation", operation: { device: "gripper", verb: "grip", args: {} } },
    { makeSafe: { kind: "still" } },
  );
  const run = saga([hold, move("a", "z", 300), step("rest", { kind: "dwell", forMs: 5 })], {
    safeFirst: ["hold"],
  });
  const [first, , last] = forecastSaga(run, cell, { at }).steps;
  expect(first?.safe).toEqual([{ step: "hold", text: "still", maybe: false }]);
  expect(last?.safe.map(({ step, text }) => `${step}: ${text}`)).toEqual([
    "hold: still",
    "a: z.moveTo position 100 velocity 100",
  ]);
  expect(last?.safeTime).toEqual({ fromMs: 2100, toMs: 2100 });
  // While z is on its way from 100 to 300 mm it is at most as far from 100 mm as at its end.
  const [, under] = forecastSaga(run, cell, { at }).steps;
  expect(under?.safeTime).toEqual({ fromMs: 0, toMs: 2100 });
});

test("orElse: a refusal that is certain takes the backup plan, one that is open leaves both ways", () => {
  const tree = saga(
    [
      move("down", "z", 10),
      move("over", "x", 200, { orElse: [2] }),
      step("other", { kind: "dwell", forMs: 10 }, { parent: 1 }),
    ],
    { body: [0, 1] },
  );
  const told = forecastSaga(tree, cell, { at });
  expect(told.total.toMs).toBeCloseTo(1000 + 10, 6);
  expect(told.steps[2]).toMatchObject({ insteadOf: "over", turns: 1 });
  const good = forecastSaga({ ...tree, body: [1] }, cell, { at });
  expect(good.total).toEqual({ fromMs: 2100, toMs: 2100 });
  const open = forecastSaga({ ...tree, body: [1] }, cell, { at: { x: 0 } });
  expect(open.total).toEqual({ fromMs: 10, toMs: 2100 });
  expect(open.depends).toContain("whether over is refused");
});

test("orElse around a container: taken where the first motion in it is refused, not after one has moved", () => {
  const call = { kind: "call", saga: "in", inputs: {}, block: [2, 3] } as const;
  const tree = (first: number, block: readonly number[] = [2, 3]) =>
    saga(
      [
        move("start", "z", first),
        step("in", { ...call, block }, { orElse: [4], timeoutMs: 60_000 }),
        move("in/over", "x", 200, { parent: 1 }),
        move("in/up", "z", 400, { parent: 1 }),
        step("other", { kind: "dwell", forMs: 10 }),
      ],
      { body: [0, 1] },
    );
  const refused = forecastSaga(tree(0), cell, { at: { x: 0, z: 0 } });
  expect(refused).toMatchObject({ total: { fromMs: 10, toMs: 10 }, fails: [] });
  const after = forecastSaga(tree(0, [3, 0, 2]), cell, { at: { x: 0, z: 0 } });
  expect(after.fails).toEqual(["in/over"]);
  expect(after.total.fromMs).toBeGreaterThan(1000);
  expect(forecastSaga(tree(100), cell, { at: { x: 0, z: 0 } }).fails).toEqual([]);
});

test("fails: what every way fails at, never what one of several goes around", () => {
  const inputs = { n: { kind: "number" } } as const;
  const when = written("input.n < 5", less(input("n"), 5));
  const cases = (otherwise: readonly number[]) =>
    saga(
      [
        step("which", { kind: "choose", cases: [{ when, block: [1] }], otherwise }),
        move("over", "x", 200, { parent: 0 }),
        move("up", "z", 100, { parent: 0 }),
        move("slow", "x", 500, { parent: 0, timeoutMs: 100 }),
      ],
      { body: [0], inputs },
    );
  const low = { at: { x: 0, z: 0 } };
  expect(forecastSaga(cases([2]), cell, low).fails).toEqual([]);
  expect(forecastSaga(cases([3]), cell, low).fails).toEqual(["over", "slow"]);
  expect(forecastSaga(cases([2]), cell, { ...low, inputs: { n: 1 } }).fails).toEqual(["over"]);
});

test("a verb that the device never offers is refused with its reason", () => {
  const why = {
    ...cell,
    devices: [{ id: "z", axis: linear, whyNot: (verb: string) => `no ${verb}` }],
  };
  expect(forecastSaga(saga([move("a", "z", 1)]), why).steps[0]?.refusals).toEqual([
    { code: "NOT_SUPPORTED", text: "no moveTo", certain: true },
  ]);
});
