import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { profileSchema } from "#drivers/profile.js";
import { formatProblem, readYaml } from "#drivers/yaml-source.js";
it.each(["kinco/fd5p", "robotiq/2f", "abb/drives-profile"])("%s", (id) => {
  const file = `drivers/profiles/${id}.yaml`;
  const r = readYaml(readFileSync(file, "utf8"), file, profileSchema);
  expect(r.ok ? [] : r.problems.map(formatProblem)).toEqual([]);
});
