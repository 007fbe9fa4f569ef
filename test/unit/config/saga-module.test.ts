/**
 * Sagas as modules: what comes out of them, what is refused, and what does not even compile.
 * The idea: small modules beside this test, read in a process of their own. It refuses devices.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseSagas } from "#kernel/config/saga-file.js";
import { defineSaga, type SagaStepShape, type StepNames } from "#kernel/config/saga-module.js";
import { readSagaModule } from "#kernel/edge/saga-module-reader.js";
import { problemLine, sagaDevices } from "../../fixtures/config/saga-devices.js";

const folder = join(import.meta.dirname, "../../fixtures/config/sagas");
const fileOf = (name: string) => join(folder, `${name}.saga.${name === "typed" ? "ts" : "mjs"}`);

function read(name: string) {
  const found = readSagaModule(fileOf(name));
  if ("why" in found) return found.why;
  return parseSagas([{ file: fileOf(name), ...found }], sagaDevices)[0];
}

test("saga module: plain data of a module is a saga like any other", () => {
  const draft = read("lower");
  if (typeof draft !== "object") throw new Error(draft);
  expect(draft.problems().map(problemLine)).toEqual([]);
  expect(draft.definition).toMatchObject({
    name: "lower",
    uses: ["z"],
    inputs: { to: { unit: "mm", max: 50, default: 10 } },
    steps: [
      { name: "down-1", action: { operation: { worked: { position: { min: 0, max: 100 } } } } },
      { name: "down-2", text: "z.moveTo = input.to / 2 100 mm/s" },
    ],
  });
});

test("saga module: TypeScript by the builder", () => {
  const draft = read("typed");
  if (typeof draft !== "object") throw new Error(draft);
  expect(draft.problems().map(problemLine)).toEqual([]);
  expect(draft.definition).toMatchObject({
    safeFirst: ["raise"],
    steps: [{ name: "raise" }, { text: "z.moveTo = input.depth + 5 mm 100 mm/s" }],
  });
});

test.each([
  ["function", "saga.steps is not plain data"],
  ["nothing", "the module exports no saga"],
  ["throws", "the module failed: no such table"],
  ["absent", "there is no such file"],
])("saga module: refused (module=%s)", (name, words) => {
  expect(read(name)).toBe(words);
});

test("saga module: what is wrong is shown at its line in the module", () => {
  const draft = read("wrong");
  const found = typeof draft === "object" ? draft.problems().map(problemLine) : [];
  expect(found).toContain(
    `${fileOf("wrong")}:5:55 this key is not known here [1 s; did you mean dwell?]`,
  );
});

test("saga module: as YAML, so as a module (saga=lower)", () => {
  const yaml = `saga: lower
inputs: { to: { min: 0 mm, max: 50 mm, default: 10 mm } }
steps:
  - name: down-1
    do: z.moveTo
    with: { position: = input.to / 1, velocity: 100 mm/s }
    makeSafe: still
  - name: down-2
    do: z.moveTo
    with: { position: = input.to / 2, velocity: 100 mm/s }
    makeSafe: still
`;
  const [file] = parseSagas([{ file: fileOf("lower"), text: yaml }], sagaDevices);
  const draft = read("lower");
  expect(typeof draft === "object" && draft.definition).toEqual(file?.definition);
});

/** True only where both are the same type; the compiler looks at it, the test runs it. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

test("saga module: the compiler knows the names of steps and inputs", () => {
  const steps = [
    { name: "a", do: "z.home", makeSafe: "still", orElse: [{ name: "b", dwell: "1 s" }] },
    {
      name: "c",
      parallel: { branches: { l: [{ name: "d", dwell: 1 }], r: [{ name: "e", signal: "s" }] } },
    },
    { name: "f", choose: [{ when: "true", steps: [{ name: "g", set: { n: 1 } }] }] },
    { name: "h", repeat: { times: 2, steps: [{ name: "i", dwell: "1 s" }] } },
  ] as const satisfies readonly SagaStepShape[];
  const all: Same<
    StepNames<typeof steps>,
    "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i"
  > = true;
  expect(all).toBe(true);
  defineSaga({
    saga: "s",
    inputs: { depth: { unit: "mm" } },
    steps: (input) => {
      const known: Same<keyof typeof input, "depth"> = true;
      expect([known, input.depth]).toEqual([true, "input.depth"]);
      return [{ name: "a", dwell: "1 s" }];
    },
  });
});
