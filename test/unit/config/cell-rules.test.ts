/**
 * Rules, zones and suspend conditions of a cell file: what they become, what is wrong in them.
 * The idea: one cell of three devices and two sagas, with each block in turn. It starts nothing.
 */
import { describe, expect, test } from "vitest";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { parseCell } from "#kernel/config/cell-file.js";
import { evaluateExpression } from "#kernel/config/expression.js";

const cell = `servocell: 1
cell: { name: demo, prefix: plant/line }
broker: embedded
buses:
  rail: { tcp: "127.0.0.1:15021" }
devices:
  a: { profile: robotiq/2f, bus: rail, unit: 9 }
  b: { profile: robotiq/2f, bus: rail, unit: 10 }
  c: { profile: robotiq/2f, bus: rail, unit: 11 }
sagas: [grab.yaml, advance.yaml]
`;
const files: { readonly [file: string]: string } = {
  "/cells/grab.yaml": `saga: grab
steps: [{ name: grip, do: a.grip, makeSafe: still }]
`,
  "/cells/advance.yaml": `saga: advance
inputs:
  width: { kind: number, unit: mm, min: 0 mm, max: 80 mm }
  note: { kind: text, default: none }
steps:
  - { name: move, do: b.grip, makeSafe: still }
  - { name: on, set: { w: "input.width + 1 mm" } }
`,
};

function parsed(more: string) {
  const readText = (file: string) => {
    const text = files[file];
    return text === undefined ? { why: "none" } : { text };
  };
  return parseCell(`${cell}${more}`, "/cells/cell.yaml", { readText, loadProfile, profileIds });
}
function good(more: string) {
  const result = parsed(more);
  if (!result.ok) throw new Error(result.problems.map((one) => one.message).join("; "));
  return result.value;
}
function wrong(more: string): string {
  const result = parsed(more);
  const problems = result.ok ? [] : result.problems;
  return problems
    .map(({ line, message, suggestion }) => `${line} ${message} (${suggestion ?? ""})`)
    .join("; ");
}

describe("rules", () => {
  test("a run's end by the short word, inputs from values and from the event", () => {
    const [rule] =
      good(`rules:
  - { on: run.completed, saga: grab, start: advance, with: { width: 20 mm, note: "= event.run" },
      debounce: 2 s, rate: { starts: 3, within: 1 min }, wait: true }
`).rules ?? [];
    expect(rule).toMatchObject({
      name: "rule-1",
      on: { kind: "run", type: "ended" },
      saga: "advance",
      debounceMs: 2000,
      rate: { starts: 3, withinMs: 60_000 },
      wait: true,
    });
    expect(rule?.inputs.width).toBe(20);
    const where = rule?.on.where;
    const nothing = () => undefined;
    const judged = (state: string, saga: string) => {
      const fields: { readonly [name: string]: string } = { state, saga };
      const event = (name: string) => fields[name];
      const scope = { input: nothing, variable: nothing, reading: nothing, event };
      return where === undefined ? undefined : evaluateExpression(where.expression, scope);
    };
    expect(judged("completed", "grab")).toEqual({ ok: true, value: true });
    expect(judged("madeSafe", "grab")).toEqual({ ok: true, value: false });
    expect(judged("completed", "advance")).toEqual({ ok: true, value: false });
  });

  test("an event of an axis with a condition", () => {
    const [rule] =
      good(`rules:
  - { name: belt, on: axis.a.command.ended, where: event.verb == 'grip', start: advance,
      with: { width: 5 mm } }
`).rules ?? [];
    expect(rule).toMatchObject({ name: "belt", on: { kind: "axis", id: "a" }, wait: false });
  });

  test.each([
    ["{ on: axis.q.command.ended, start: grab }", "there is no device q"],
    ["{ on: nonsense, start: grab }", "is no event"],
    ["{ on: run.completed, saga: grub, start: grab }", "there is no saga grub"],
    ["{ on: run.completed, saga: grab, start: advence }", "there is no saga advence"],
    ["{ on: axis.a.command.ended, saga: grab, start: grab }", "only the events of runs"],
    ["{ on: run.completed, saga: grab, start: advance }", "advance needs its input width"],
    ["{ on: run.completed, saga: grab, start: advance, with: { width: 99 mm } }", "80"],
    ["{ on: run.completed, saga: grab, start: advance, with: { wide: 1 mm } }", "no input wide"],
    ["{ on: run.completed, saga: grab, start: grab, where: a.gripped }", "reads only its event"],
  ])("%s is refused: %s", (rule, words) => {
    expect(wrong(`rules:\n  - ${rule}\n`)).toContain(words);
  });

  test("a chain that leads back to where it began is refused, by name", () => {
    const loop = `rules:
  - { name: one, on: run.completed, saga: grab, start: advance, with: { width: 5 mm } }
  - { name: two, on: run.completed, saga: advance, start: grab }
`;
    expect(wrong(loop)).toContain("starts itself again: advance → grab → advance");
    const accepted = loop.replace("start: grab }", "start: grab, loop: the belt never ends }");
    expect(good(accepted).rules?.length).toBe(2);
  });

  test("a rule on a device of its own saga is a loop", () => {
    expect(wrong("rules: [{ on: axis.a.command.ended, start: grab }]\n")).toContain("itself again");
  });

  test("a second loop is found beside one that has a reason", () => {
    const loops = `rules:
  - { name: one, on: run.completed, saga: grab, start: grab, loop: the line never ends }
  - { name: two, on: run.completed, saga: grab, start: advance, with: { width: 5 mm } }
  - { name: three, on: run.completed, saga: advance, start: grab }
`;
    expect(wrong(loops)).toContain("13 the rule two starts itself again: advance → grab → advance");
  });

  test.each([
    [
      "another verb than the saga's",
      "{ on: axis.a.command.ended, where: event.verb == 'release', start: grab }",
    ],
    [
      "a step that it does not have",
      "{ on: run.step.ended, where: event.step == 'open', start: grab }",
    ],
    [
      "another saga by its condition",
      "{ on: run.ended, where: event.saga == 'other', start: grab }",
    ],
    ["what only people do", "{ on: cell.mode.changed, start: grab }"],
    [
      "a state that only a reset leads to",
      "{ on: cell.state.changed, where: event.to == 'Idle', start: grab }",
    ],
    ["a device of another saga", "{ on: axis.c.command.ended, start: grab }"],
  ])("no loop: %s", (_, rule) => {
    expect(good(`rules:\n  - ${rule}\n`).rules?.length).toBe(1);
  });

  test.each([
    ["its own verb", "{ on: axis.a.command.ended, where: event.verb == 'grip', start: grab }"],
    ["its own step", "{ on: run.step.ended, where: event.step == 'grip', start: grab }"],
    [
      "a state that its run leads to",
      "{ on: cell.state.changed, where: event.to == 'Complete', start: grab }",
    ],
    ["any fault", "{ on: 'axis.*.fault', start: grab }"],
    ["its own refusal", "{ on: cell.rule.refused, start: grab }"],
  ])("a loop: %s", (_, rule) => {
    expect(wrong(`rules:\n  - ${rule}\n`)).toContain("starts itself again: grab → grab");
  });

  test("a reason for a loop that is none is a warning", () => {
    const result = parsed(
      "rules: [{ on: axis.c.command.ended, start: grab, loop: the line never ends }]\n",
    );
    expect(result.ok && result.warnings.map(({ message }) => message)).toEqual([
      "the rule rule-1 is in no loop",
    ]);
  });

  test("a saga with a mistake is not one that is not there", () => {
    const broken = parseCell(
      `${cell}rules: [{ on: axis.c.command.ended, start: grab }]\n`,
      "/cells/cell.yaml",
      {
        readText: (file) => ({ text: (files[file] ?? "").replace("a.grip", "a.grap") }),
        loadProfile,
        profileIds,
      },
    );
    const messages = broken.ok ? [] : broken.problems.map(({ message }) => message);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain("grap");
  });

  test("an event that nobody sends is doubted", () => {
    const result = parsed("rules: [{ on: axis.c.comand.ended, start: grab }]\n");
    expect(result.ok && result.warnings.map(({ suggestion }) => suggestion)).toEqual([
      "did you mean command.ended?",
    ]);
  });

  test("a start that the event's own saga would always refuse is doubted", () => {
    const rule = "{ on: axis.a.fault, start: grab, loop: it is a warning here }";
    const result = parsed(`rules: [${rule}]\n`);
    expect(result.ok && result.warnings[0]?.message).toContain("it would be refused");
    const waits = parsed(`rules: [${rule.replace("start: grab", "start: grab, wait: true")}]\n`);
    expect(waits.ok && waits.warnings).toEqual([]);
  });

  test("rules of one name are refused", () => {
    const twice = `rules:
  - { name: one, on: run.completed, saga: grab, start: advance, with: { width: 5 mm } }
  - { name: one, on: axis.a.command.ended, start: advance, with: { width: 5 mm } }
`;
    expect(wrong(twice)).toContain("stands twice");
  });
});

describe("zones", () => {
  test("devices sorted, once", () => {
    expect(good("zones: { press: [b, a, b] }\n").zones).toEqual([
      { name: "press", devices: ["a", "b"] },
    ]);
  });
  test.each([
    ["zones: { press: [a] }\n", "at least two devices"],
    ["zones: { press: [a, d] }\n", "there is no device d"],
  ])("%s is refused: %s", (text, words) => expect(wrong(text)).toContain(words));
});

describe("suspend conditions", () => {
  test("with a way back and a time of its own", () => {
    const text =
      "{ reason: blocked, when: a.position > 5 mm, until: a.position < 2 mm, after: 2 s }";
    const [condition] = good(`suspend: [${text}]\n`).suspend ?? [];
    expect(condition).toMatchObject({ afterMs: 2000, until: { text: "a.position < 2 mm" } });
  });
  test("a name where none is given", () => {
    const [condition] =
      good("suspend: [{ reason: starved, when: a.gripped == false }]\n").suspend ?? [];
    expect(condition).toMatchObject({ name: "suspend-1", reason: "starved" });
  });
  test.each([
    ["suspend: [{ reason: starved, when: q.gripped }]\n", "there is no device q"],
    ["suspend: [{ reason: lazy, when: a.gripped }]\n", ""],
    ["suspend: [{ reason: starved, when: a.position }]\n", ""],
    ["suspend: [{ reason: starved, when: a.gripped, until: q.gripped }]\n", "there is no device q"],
    ["suspend: [{ reason: starved, when: a.gripped, after: 2 h }]\n", "after must be at most"],
  ])("%s is refused", (text, words) => {
    expect(wrong(text)).not.toBe("");
    expect(wrong(text)).toContain(words);
  });
});
