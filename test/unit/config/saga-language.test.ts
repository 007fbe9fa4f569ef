/**
 * The language of sagas: every kind of step into the flat tree, and what is refused in words.
 * The idea: one saga that uses all of it, and edits of it, over the profiles of the package. It
 * refuses files.
 */
import { expect, test } from "vitest";
import { parseSagas } from "#kernel/config/saga-file.js";
import { problemLine, sagaDevices } from "../../fixtures/config/saga-devices.js";

const lower = `saga: lower
inputs:
  to: { min: 0 mm, max: 50 mm, default: 10 mm }
steps:
  - name: down
    do: z.moveTo
    with: { position: = input.to, velocity: 100 mm/s }
    makeSafe: still
`;

const whole = `saga: whole
title: All of it
mode: Maintenance
priority: 7
onRestart: resume
safeFirst: [grip]
inputs:
  depth: { unit: mm, min: 0 mm, max: 40 mm, default: 20 mm, text: How deep }
  count: { min: 1, max: 3 }
  fast: { kind: boolean, default: false }
  side: { kind: text, choices: [left, right], default: left }
steps:
  - { name: start, set: { n: 0, speed: 100 mm/s } }
  - name: down
    do: z.moveTo
    with: { position: = input.depth + 5 mm, velocity: = var.speed }
    timeout: 5 s
    maxAge: 200 ms
    makeSafe: still
  - name: grip
    do: left.grip
    with: { force: 40 % }
    makeSafe: [{ do: left.release }]
    orElse:
      - { name: grip-right, do: right.grip, makeSafe: { none: it keeps its part } }
  - { name: power, do: z.enable, retry: { attempts: 3, backoff: 1 s }, makeSafe: still }
  - { name: settle, dwell: = 100 ms * input.count }
  - { name: there, waitFor: z.position >= input.depth or input.fast }
  - { name: told, waitFor: { event: axis.z.lease.ended, where: event.code == 'X' }, timeout: 1 h }
  - { name: go, signal: start-it }
  - { name: which, ask: { text: Which side?, choices: [left, right], as: answer } }
  - name: both
    parallel:
      until: first
      branches:
        one: [{ name: wait-one, dwell: 1 s }]
        two: [{ name: wait-two, dwell: 2 s }, { name: wait-three, dwell: 3 s }]
  - name: by-side
    choose:
      - when: var.answer == 'left'
        steps: [{ name: case-left, dwell: 1 s }]
      - { when: input.side == 'right', steps: [{ name: case-right, dwell: 1 s }] }
    otherwise: [{ name: neither, dwell: 1 s }]
  - name: again
    repeat:
      times: = input.count
      while: var.n < 3
      steps: [{ name: more, set: { n: var.n + 1 } }]
  - { name: sub, call: { saga: lower, with: { to: = input.depth / 2 } } }
`;

function read(text: string, others: readonly string[] = [lower]) {
  const files = [text, ...others].map((one, i) => ({ file: `${i}.yaml`, text: one }));
  return parseSagas(files, sagaDevices);
}

function problemsOf(text: string, others?: readonly string[]): readonly string[] {
  return read(text, others).flatMap((draft) => draft.problems().map(problemLine));
}

test("saga language: all kinds of steps, flat, in the order of the file", () => {
  expect(problemsOf(whole)).toEqual([]);
  const saga = read(whole)[0]?.definition;
  expect(saga?.steps.map(({ name, parent, action }) => [name, action.kind, parent])).toEqual([
    ["start", "set", undefined],
    ["down", "operation", undefined],
    ["grip", "operation", undefined],
    ["grip-right", "operation", 2],
    ["power", "operation", undefined],
    ["settle", "dwell", undefined],
    ["there", "waitFor", undefined],
    ["told", "waitForEvent", undefined],
    ["go", "signal", undefined],
    ["which", "ask", undefined],
    ["both", "parallel", undefined],
    ["wait-one", "dwell", 10],
    ["wait-two", "dwell", 10],
    ["wait-three", "dwell", 10],
    ["by-side", "choose", undefined],
    ["case-left", "dwell", 14],
    ["case-right", "dwell", 14],
    ["neither", "dwell", 14],
    ["again", "repeat", undefined],
    ["more", "set", 18],
    ["sub", "call", undefined],
    ["sub/down", "operation", 20],
  ]);
  expect(saga?.body).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 14, 18, 20]);
  expect(saga).toMatchObject({
    mode: "Maintenance",
    priority: 7,
    onRestart: "resume",
    safeFirst: ["grip"],
    uses: ["left", "right", "z"],
    spare: ["left", "right"],
    inputs: {
      depth: { kind: "number", unit: "mm", min: 0, max: 40, default: 20, text: "How deep" },
      count: { kind: "number", min: 1, max: 3 },
      fast: { kind: "boolean", default: false },
      side: { kind: "text", choices: ["left", "right"], default: "left" },
    },
  });
});

test("saga language: what the steps hold", () => {
  const steps = read(whole)[0]?.definition?.steps ?? [];
  const at = (name: string) => steps.find((step) => step.name === name);
  expect(at("down")).toMatchObject({
    timeoutMs: 5000,
    readingsAgeMsMax: 200,
    action: {
      operation: {
        args: {},
        worked: {
          position: { value: { text: "input.depth + 5 mm" }, min: 0, max: 100 },
          velocity: { value: { text: "var.speed" }, max: 300 },
        },
      },
    },
  });
  expect(at("grip")).toMatchObject({ orElse: [3], action: { operation: { args: { force: 40 } } } });
  expect(at("power")?.retry).toEqual({ attempts: 3, backoffMs: 1000, factor: 2 });
  expect(at("settle")?.action).toMatchObject({ forMs: { text: "100 ms * input.count" } });
  expect(at("told")).toMatchObject({
    timeoutMs: 3_600_000,
    action: {
      event: { kind: "axis", id: "z", type: "lease.ended", where: { text: "event.code == 'X'" } },
    },
  });
  expect(at("go")).toMatchObject({ timeoutMs: 600_000, action: { signal: "start-it" } });
  expect(at("which")).toMatchObject({ timeoutMs: 600_000, action: { as: "answer" } });
  expect(at("both")).toMatchObject({
    text: "first of one, two",
    timeoutMs: 7000,
    action: { until: "first", branches: [[11], [12, 13]] },
  });
  expect(at("by-side")?.action).toMatchObject({
    cases: [{ block: [15] }, { block: [16] }],
    otherwise: [17],
  });
  expect(at("again")?.action).toMatchObject({
    times: { text: "input.count" },
    whilst: { text: "var.n < 3" },
    turnsMax: 3,
    block: [19],
  });
  expect(at("sub")?.action).toMatchObject({
    saga: "lower",
    inputs: { to: { text: "input.depth / 2" } },
    block: [21],
  });
});

test("saga language: a call takes the defaults of what it is not given, and plain values", () => {
  const inputs = (given: string) => {
    const text = whole.replace("with: { to: = input.depth / 2 }", given);
    const step = read(text)[0]?.definition?.steps.find(({ name }) => name === "sub");
    return step?.action.kind === "call" ? step.action.inputs : undefined;
  };
  expect(inputs("with: {}")).toEqual({ to: 10 });
  expect(inputs("with: { to: 2 cm }")).toEqual({ to: 20 });
  expect(inputs("with: { to: = 2 * 1 cm }")).toEqual({ to: 20 });
});

test.each<[string, string, string, string]>([
  ["an unknown input", "input.depth + 5", "input.deep + 5", "no input deep; known: depth, count"],
  ["a unit that does not fit", "input.depth + 5 mm", "input.depth + 5 s", "mixes a number in mm"],
  ["a speed for a place", "= input.depth + 5 mm", "= var.speed", "and a number in mm belongs here"],
  ["a variable set nowhere", "= var.speed", "= var.sped", "set nowhere; did you mean speed?"],
  ["a variable of two kinds", "n: var.n + 1", "n: input.depth", "n is a plain number further up"],
  ["a place outside travel", "input.depth + 5 mm", "input.depth + 200 mm", "is 200 mm; it must be"],
  [
    "a place that may be outside travel",
    "input.depth + 5 mm",
    "input.depth * 3",
    "warning position may be 120 mm; it must be at most 100 mm",
  ],
  ["a place below travel", "input.depth + 5 mm", "input.depth - 90 mm", "position is -50 mm"],
  ["a constant outside travel", "input.depth + 5 mm", "60 mm * 2", "position is 120 mm"],
  ["a division by zero", "input.depth + 5 mm", "60 mm / 0", "division by zero"],
  [
    "a worked makeSafe",
    "{ do: left.release }",
    "{ do: z.moveTo, with: { position: = input.depth, velocity: 1 mm/s } }",
    "plain values only",
  ],
  [
    "a condition that is a number",
    "waitFor: z.position >= input.depth or input.fast",
    "waitFor: z.position",
    "true or false belongs here",
  ],
  [
    "a repeat without an end",
    "      times: = input.count\n      while: var.n < 3\n",
    "",
    "needs its end",
  ],
  [
    "turns that are no number",
    "times: = input.count",
    "times: = input.fast",
    "a plain number belongs",
  ],
  ["half a turn", "times: = input.count", "times: 1.5", "whole number from 1"],
  [
    "a bound below the turns",
    "times: = input.count",
    "times: 5\n      max: 4",
    "max is below the 5",
  ],
  [
    "one branch",
    "        two: [{ name: wait-two, dwell: 2 s }, { name: wait-three, dwell: 3 s }]\n",
    "",
    "2 to 8 branches, not 1",
  ],
  ["the name of a step twice, inside", "name: wait-two", "name: wait-one", "wait-one stands twice"],
  [
    "an unknown saga",
    "saga: lower, with",
    "saga: lowr, with",
    "no saga lowr in this cell [lowr; did you mean lower?]",
  ],
  ["an unknown input of a call", "with: { to:", "with: { too:", "lower has no input too"],
  [
    "an input of another unit",
    "to: = input.depth / 2",
    "to: = var.speed",
    "a number in mm belongs",
  ],
  ["an input out of its limits", "to: = input.depth / 2", "to: 60 mm", "to must be at most 50 mm"],
  [
    "an input that may be out of its limits",
    "to: = input.depth / 2",
    "to: = input.depth * 2",
    "warning to may be 80 mm; it must be at most 50 mm",
  ],
  [
    "a choice twice",
    "choices: [left, right], as",
    "choices: [left, left], as",
    "left stands twice",
  ],
  ["an answer that is never given", "var.answer == 'left'", "var.answer == 'lef'", "never 'lef'"],
  ["a text that is never it", "input.side == 'right'", "input.side == 'rigth'", "mean right"],
  ["an event of nobody", "event: axis.z.lease", "event: axis.q.lease", "there is no device q"],
  ["an event of no kind", "event: axis.z.lease", "event: axes.z.lease", "did you mean axis?"],
  ["a misspelt event", "z.lease.ended", "z.lease.endet", "warning Servocell sends no such event"],
  ["an event without a type", "event: axis.z.lease.ended", "event: axis", "write kind.id.type"],
  ["a default out of limits", "default: 20 mm", "default: 50 mm", "default must be at most 40 mm"],
  [
    "limits of a text",
    "kind: text, choices",
    "kind: text, min: 1, choices",
    "kind text has no min",
  ],
  ["a default that is no choice", "default: left }", "default: lft }", "it is none of left, right"],
  ["an unknown unit of an input", "unit: mm,", "unit: mmm,", "did you mean mm?"],
  ["too many attempts", "attempts: 3", "attempts: 11", "attempts is a whole number from 2 to 10"],
  [
    "a retry of a wait",
    "signal: start-it",
    "signal: start-it, retry: { attempts: 2 }",
    "only an operation is tried again",
  ],
  [
    "a backup plan of a wait",
    "signal: start-it",
    "signal: start-it, orElse: [{ name: q, dwell: 1 s }]",
    "have a backup plan",
  ],
  [
    "makeSafe of a container",
    "    choose:",
    "    makeSafe: still\n    choose:",
    "its steps say how",
  ],
  ["a timeout of a container", "    choose:", "    timeout: 1 s\n    choose:", "ends by itself"],
  [
    "otherwise without choose",
    "signal: start-it",
    "signal: start-it, otherwise: [{ name: q, dwell: 1 s }]",
    "belongs to choose",
  ],
  ["safeFirst of nobody", "safeFirst: [grip]", "safeFirst: [gripp]", "no step gripp in this saga"],
  [
    "safeFirst that does nothing",
    "safeFirst: [grip]",
    "safeFirst: [down]",
    "warning the makeSafe of down",
  ],
  ["an unknown mode", "mode: Maintenance", "mode: Service", "Production"],
  ["a priority beyond 9", "priority: 7", "priority: 17", "priority is a whole number from 0 to 9"],
  ["an unknown key, deep inside", "until: first", "untill: first", "did you mean until?"],
  [
    "an unknown key of a nested step",
    "{ name: wait-one, dwell: 1 s }",
    "{ name: wait-one, dwel: 1 s }",
    "did you mean dwell?",
  ],
])("saga language: %s", (_, from, to, words) => {
  expect(whole).toContain(from);
  const found = problemsOf(whole.replace(from, to)).join("\n");
  expect(found).toContain(words);
});

test("saga language: an input that has no default must be given by the call", () => {
  const strict = lower.replace(", default: 10 mm", "");
  const text = whole.replace("with: { to: = input.depth / 2 }", "with: {}");
  expect(problemsOf(text, [strict]).join()).toContain("lower needs its input to");
});

test("saga language: event fields have a value only behind a wait for an event", () => {
  const early = whole.replace("n: 0,", "n: event.n,");
  expect(problemsOf(early).join()).toContain("event.n has no value before");
});

test.each([
  [
    "itself",
    [lower.replace("steps:", "steps:\n  - { name: q, call: { saga: lower } }")],
    "lower → lower",
  ],
  [
    "by another one",
    [
      lower.replace("steps:", "steps:\n  - { name: q, call: { saga: other } }"),
      "saga: other\nsteps:\n  - { name: q, call: { saga: lower } }\n",
    ],
    "lower → other → lower",
  ],
])("saga language: a saga that calls itself is refused (by=%s)", (_, others, way) => {
  const found = problemsOf(whole, others).join("\n");
  expect(found).toContain(`a saga cannot call itself: ${way}`);
  expect(read(whole, others)[0]?.definition).toBeUndefined();
});

test("saga language: 500 steps and no more, called ones included (steps=2 × 251)", () => {
  const steps = Array.from({ length: 250 }, (_, i) => `  - { name: s${i}, dwell: 1 s }\n`).join("");
  const many = `saga: many\nsteps:\n${steps}`;
  const calls = (n: number) =>
    Array.from({ length: n }, (_, i) => `  - { name: c${i}, call: { saga: many } }\n`).join("");
  expect(problemsOf(`saga: one\nsteps:\n${calls(1)}`, [many])).toEqual([]);
  expect(problemsOf(`saga: two\nsteps:\n${calls(2)}`, [many]).join()).toContain(
    "at most 500 steps",
  );
});

test.each([
  [8, ""],
  [9, "more than 8 steps inside each other"],
])("saga language: containers inside each other (depth=%i)", (depth, words) => {
  let inner = "[{ name: leaf, dwell: 1 s }]";
  for (let i = 0; i < depth; i += 1)
    inner = `[{ name: r${i}, repeat: { times: 2, steps: ${inner} } }]`;
  expect(problemsOf(`saga: deep\nsteps: ${inner}\n`).join()).toContain(words);
});
