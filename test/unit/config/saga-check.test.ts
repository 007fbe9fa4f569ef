/**
 * What `servocell check` finds in sagas beyond their single steps.
 * The idea: a table of sagas, each with the one thing that is wrong with it, over a cell of two
 * axes under an interlock, two grippers and a belt. It refuses files.
 */
import { expect, test } from "vitest";
import type { InterlockConfig } from "#kernel/config/cell.js";
import { fieldsOf } from "#kernel/config/cell-interlocks.js";
import { parseCondition } from "#kernel/config/condition.js";
import { noteFindings } from "#kernel/config/saga-check.js";
import { ruleClash } from "#kernel/config/saga-check-locks.js";
import { parseSagas } from "#kernel/config/saga-file.js";
import { problemLine, sagaDevices } from "../../fixtures/config/saga-devices.js";

const require = parseCondition("z.position >= 50 mm", fieldsOf(sagaDevices));
if (!require.ok) throw new Error(require.problems.join());
const interlock: InterlockConfig = {
  name: "z-up-before-x",
  moves: ["x"],
  evaluator: "z",
  require: require.condition,
  margin: 50,
};

function read(sagas: readonly string[]) {
  const files = sagas.map((text, i) => ({ file: `${i}.yaml`, text }));
  const drafts = parseSagas(files, sagaDevices);
  noteFindings(drafts, { devices: sagaDevices, interlocks: [interlock] });
  return drafts;
}

function findings(...sagas: readonly string[]): string {
  return read(sagas)
    .flatMap((draft) => draft.problems().map(problemLine))
    .join("\n");
}

/** `steps` below each other, as the tests' sagas have them. */
function saga(steps: readonly string[], head = "saga: s"): string {
  return `${head}\nsteps:\n${steps.map((step) => `  - { ${step} }\n`).join("")}`;
}

const z = (name: string, mm: number, more = "makeSafe: still") =>
  `name: ${name}, do: z.moveTo, with: { position: ${mm} mm, velocity: 200 mm/s }, ${more}`;
const x = (name: string, mm: number, more = "makeSafe: still") =>
  `name: ${name}, do: x.moveTo, with: { position: ${mm} mm, velocity: 200 mm/s }, ${more}`;
const grip = (name: string, id: string, more = "") =>
  `name: ${name}, do: ${id}.grip, makeSafe: still${more}`;
const wait = (name: string) => `name: ${name}, dwell: 1 s`;

test.each<[string, readonly string[]]>([
  ["x moves with z up", [z("up", 60), x("go", 100)]],
  ["z goes down, up again, then x moves", [z("down", 5), z("up", 60), x("go", 100)]],
  ["x moves while nobody knows where z is", [x("go", 100)]],
  [
    "z is up on both ways",
    [
      `name: c, choose: [{ when: z.homed, steps: [{ ${z("a", 60)} }] }], otherwise: [{ ${z("b", 70)} }]`,
      x("go", 100),
    ],
  ],
  [
    "z may be up",
    [
      `name: c, choose: [{ when: z.homed, steps: [{ ${z("a", 60)} }] }], otherwise: [{ ${z("b", 5)} }]`,
      x("go", 100),
    ],
  ],
  [
    "retry of an operation that may be given again",
    ["name: on, do: z.enable, retry: { attempts: 2 }, makeSafe: still"],
  ],
  [
    "branches with a device each",
    [
      `name: p, parallel: { branches: { a: [{ ${grip("l", "left")} }], b: [{ ${grip("r", "right")} }] } }`,
    ],
  ],
  [
    "a plan after which nobody needs the device",
    [grip("l", "left", `, orElse: [{ ${grip("r", "right")} }]`), z("up", 60)],
  ],
  ["enough time", [z("down", 0), z("up", 100, "timeout: 1 s, makeSafe: still")]],
])("saga check: nothing to say: %s", (_, steps) => {
  expect(findings(saga(steps))).toBe("");
});

test.each<[string, readonly string[], string]>([
  [
    "x moves while z was sent down: both steps are named",
    [z("up", 60), z("lower", 5), x("go", 100)],
    "0.yaml:5:21 this step is always refused: the interlock z-up-before-x: " +
      "z.position is 5, not >= 50, where lower (z.moveTo 5 mm 200 mm/s) has left it [x.moveTo]",
  ],
  [
    "the same in the second turn of a loop",
    [
      z("up", 60),
      `name: r, repeat: { times: 2, steps: [{ ${x("go", 100)} }, { ${z("lower", 5)} }] }`,
    ],
    "always refused: the interlock z-up-before-x",
  ],
  [
    "the same with a backup plan",
    [z("lower", 5), x("go", 100, `makeSafe: still, orElse: [{ ${wait("w")} }]`)],
    "warning this step is always refused: the interlock z-up-before-x: z.position is 5, " +
      "not >= 50, where lower (z.moveTo 5 mm 200 mm/s) has left it; its backup plan is always taken",
  ],
  [
    "makeSafe in reverse order needs z up, which comes too late",
    [
      z("up", 60, "makeSafe: [{ do: z.moveTo, with: { position: 60 mm, velocity: 50 mm/s } }]"),
      x("go", 100, "makeSafe: [{ do: x.moveTo, with: { position: 0 mm, velocity: 50 mm/s } }]"),
      z("lower", 5),
    ],
    "warning if the run fails behind lower, this makeSafe (x.moveTo position 0 velocity 50) is refused",
  ],
  [
    "a move beyond travel from where the axis is",
    [
      z("up", 60),
      "name: by, do: z.moveBy, with: { distance: 60 mm, velocity: 100 mm/s }, makeSafe: still",
    ],
    "always refused",
  ],
  [
    "retry against the profile",
    [z("up", 60, "makeSafe: still, retry: { attempts: 2 }")],
    "does not let moveTo be given again (repeat: never)",
  ],
  [
    "a belt that goes on, with none",
    ["name: run, do: belt.velocity, with: { velocity: 40 % }, makeSafe: { none: it is a belt }"],
    "warning belt goes on moving after velocity, and nothing makes it safe",
  ],
  [
    "branches that command one device",
    [
      `name: p, parallel: { branches: { a: [{ ${grip("l", "left")} }], ` +
        `b: [{ ${wait("w")} }, { ${grip("l2", "left")} }] } }`,
    ],
    "left is commanded by l in another branch at the same time",
  ],
  [
    "branches that set one variable",
    [
      "name: p, parallel: { branches: { a: [{ name: s1, set: { n: 1 } }], b: [{ name: s2, set: { n: 2 } }] } }",
    ],
    "warning two branches set the variable n",
  ],
  [
    "a branch that needs what another one moves",
    [`name: p, parallel: { branches: { a: [{ ${x("go", 100)} }], b: [{ ${z("lift", 90)} }] } }`],
    "warning x moves only while z.position >= 50 mm (z-up-before-x), and another branch moves z",
  ],
  [
    "a plan that only puts the refusal off",
    [
      grip("l", "left", `, orElse: [{ ${grip("r", "right")} }]`),
      "name: let, do: left.release, makeSafe: still",
    ],
    "warning after this backup plan let needs left all the same",
  ],
  [
    "a case that never holds",
    [
      `name: c, choose: [{ when: 1 > 2, steps: [{ ${wait("w")} }] }], otherwise: [{ ${wait("v")} }]`,
    ],
    "warning this step is never reached",
  ],
  [
    "a case behind one that always holds",
    [
      `name: c, choose: [{ when: 1 < 2, steps: [{ ${wait("w")} }] }], otherwise: [{ ${wait("v")} }]`,
    ],
    "warning this step is never reached",
  ],
  [
    "a case of a variable that is something else",
    [
      "name: s1, set: { n: 1 }",
      `name: c, choose: [{ when: var.n == 2, steps: [{ ${wait("w")} }] }]`,
    ],
    "warning this step is never reached",
  ],
  [
    "a timeout shorter than the way",
    [z("down", 0), z("up", 100, "timeout: 300 ms, makeSafe: still")],
    "its timeout is 0.3 s, and it takes at least 0.6 s [300 ms; timeout: 1 s]",
  ],
])("saga check: %s", (_, steps, words) => {
  expect(findings(saga(steps))).toContain(words);
});

const use = (name: string, variable = "n") => `name: ${name}, dwell: = var.${variable} * 1 s`;
const set = (name: string, variable = "n") => `name: ${name}, set: { ${variable}: 1 }`;
const inCase = (name: string, step: string, other = "") => {
  const otherwise = other === "" ? "" : `, otherwise: [{ ${other} }]`;
  return `name: ${name}, choose: [{ when: z.homed, steps: [{ ${step} }] }]${otherwise}`;
};
const never = "var.n has no value here: it is set further down";
const maybe = "warning var.n may have no value here";
test.each<[string, readonly string[], string]>([
  ["set before", [set("a"), use("b")], ""],
  ["set behind", [use("b"), set("a")], never],
  ["set in one case", [inCase("c", set("a")), use("b")], maybe],
  ["set in all cases", [inCase("c", set("a"), set("d")), use("b")], ""],
  ["set in a turn", [`name: r, repeat: { times: 2, steps: [{ ${set("a")} }] }`, use("b")], ""],
  [
    "set in a turn that may not come",
    [`name: r, repeat: { while: z.homed, steps: [{ ${set("a")} }] }`, use("b")],
    maybe,
  ],
  [
    "set in the turn before",
    [`name: r, repeat: { times: 2, steps: [{ ${use("b")} }, { ${set("a")} }] }`],
    maybe,
  ],
  [
    "set by one branch of all",
    [`name: p, parallel: { branches: { l: [{ ${set("a")} }], r: [{ ${wait("w")} }] } }`, use("b")],
    "",
  ],
  [
    "set by one branch of the first",
    [
      `name: p, parallel: { until: first, branches: { l: [{ ${set("a")} }], ` +
        `r: [{ ${wait("w")} }] } }`,
      use("b"),
    ],
    maybe,
  ],
  [
    "set only in a backup plan",
    [grip("l", "left", `, orElse: [{ ${set("a")} }]`), use("b")],
    maybe,
  ],
  ["asked before", ["name: q, ask: { text: A?, choices: [a], as: n }", inCase("c", wait("w"))], ""],
])("saga check: a variable: %s", (_, steps, words) => {
  const found = findings(saga(steps));
  if (words === "") expect(found).toBe("");
  else expect(found).toContain(words);
});

test("saga check: an input's default is not the only value it can have", () => {
  const head = "saga: s\ninputs: { n: { min: 0, max: 3, default: 1 } }";
  const steps = [`name: c, choose: [{ when: input.n == 2, steps: [{ ${wait("w")} }] }]`];
  expect(findings(saga(steps, head))).toBe("");
});

test("saga check: what is wrong in a called saga is shown there, once (calls=2)", () => {
  const called = saga([z("up", 60, "makeSafe: still, retry: { attempts: 2 }")], "saga: inner");
  const outer = saga(["name: a, call: { saga: inner }", "name: b, call: { saga: inner }"]);
  expect(findings(outer, called).match(/repeat: never/g)).toHaveLength(1);
  expect(findings(outer, called)).toMatch(/^1\.yaml:3/);
});

const holdsX = [x("go", 100), "name: w, waitFor: belt.moving == false"];
test.each<[string, readonly string[], boolean]>([
  ["whoever moves the belt needs x as well", ["do: x.enable", "do: belt.enable"], true],
  ["whoever moves the belt needs nothing of this one", ["do: belt.enable"], false],
])("saga check: a wait for a device of another saga: %s", (_, actions, stuck) => {
  const steps = actions.map((action, i) => `name: o${i}, ${action}, makeSafe: still`);
  const found = findings(saga(holdsX), saga(steps, "saga: other"));
  expect(found.includes("nobody can command belt while this run waits")).toBe(stuck);
});

test.each<[string, string, boolean]>([
  ["its devices are those of all others", "do: x.enable", true],
  ["another one is free to run", "do: belt.enable", false],
])("saga check: a wait for another run: %s", (_, action, stuck) => {
  const waits = saga([x("go", 100), "name: w, waitFor: { event: run.*.ended }"]);
  const found = findings(waits, saga([`name: o, ${action}, makeSafe: still`], "saga: other"));
  expect(found.includes("no other run can be under way")).toBe(stuck);
});

test.each<[string, string, boolean, boolean]>([
  ["the saga behind the event holds what the rule needs", "x", false, true],
  ["the same, but the rule waits", "x", true, false],
  ["the rule needs something else", "belt", false, false],
])("saga check: a rule: %s", (_, device, wait, clash) => {
  const texts = [
    saga([x("go", 100), grip("l", "left")], "saga: pick"),
    saga([`name: o, do: ${device}.enable, makeSafe: still`], "saga: after"),
  ];
  const sagas = read(texts).flatMap(({ definition }) => definition ?? []);
  const on = { kind: "axis", id: "left", type: "done" };
  expect(ruleClash({ on, saga: "after", wait }, sagas) !== undefined).toBe(clash);
});
