/**
 * The cells in examples/: each is read without a word, and its sagas are what its README says.
 * The idea: whoever copies an example begins with a clean check. It refuses devices.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadCell } from "#kernel/config/cell-file.js";
import { readSagaModule } from "#kernel/edge/saga-module-reader.js";
import { problemLine } from "../../fixtures/config/saga-devices.js";

const folders = readdirSync("examples").sort();
const cells = folders.flatMap((folder) =>
  readdirSync(`examples/${folder}`)
    .filter((name) => /^cell.*\.yaml$/.test(name))
    .map((name) => `examples/${folder}/${name}`),
);

test("examples: there are at least three cells", () => {
  expect(folders).toEqual(
    expect.arrayContaining(["choreography", "pick-and-place", "two-grippers"]),
  );
});

/** An example of mistakes; what can be seen without playing is said of it. */
const planted = "examples/planted-mistake/cell.yaml";

test("examples: of the planted mistakes the check sees the makeSafe that an interlock forbids", () => {
  const checked = loadCell(planted, { dataDir: "/nowhere", runDir: "/nowhere" });
  const said = checked.ok ? checked.warnings : [];
  expect(said.map(({ path }) => path)).toEqual(["steps[2].makeSafe"]);
});

test.each(cells.filter((file) => file !== planted))(
  "examples: %s is read without a word",
  (file) => {
    const checked = loadCell(file, { dataDir: "/nowhere", runDir: "/nowhere" }, readSagaModule);
    const said = checked.ok ? checked.warnings : checked.problems;
    expect(said.map(problemLine)).toEqual([]);
  },
);

test.each(folders)("examples: %s says what its files are", (folder) => {
  const readme = readFileSync(`examples/${folder}/README.md`, "utf8");
  const names = readdirSync(`examples/${folder}`).filter((name) => /^[a-z-]+\.yaml$/.test(name));
  for (const name of names) expect(readme).toContain(name);
});

test("examples: each twin of two-grippers can be missing, x cannot", () => {
  const file = "examples/two-grippers/cell.yaml";
  const checked = loadCell(file, { dataDir: "/nowhere", runDir: "/nowhere" }, readSagaModule);
  const sagas = checked.ok ? checked.value.sagas : [];
  const spare = (name: string) => sagas.find((saga) => saga.name === name)?.spare;
  expect(spare("form-parts")).toEqual(["left", "press-a", "press-b", "right"]);
  expect(spare("home-twins")).toEqual(["left", "press-a", "press-b", "right"]);
  expect(spare("take-left")).toBeUndefined();
});
