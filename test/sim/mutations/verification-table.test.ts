/**
 * The table of judges in docs/VERIFICATION.md is the one of the code.
 *
 * The idea: every judge is on the page, with at least two things that it has caught, or with the
 * reason why nothing has tried it. It refuses to play.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judges } from "#simulators/judges/all.js";
import { mutations } from "./mutations.js";
import { untried, verificationTable } from "./verification-table.js";

test("verification page: the table of judges and mutations is the one of the code", () => {
  expect(readFileSync("docs/VERIFICATION.md", "utf8")).toContain(verificationTable().join("\n"));
});

test.each(judges.map(({ name }) => name))("judge %s has been tried by mutations", (name) => {
  const tries = mutations.filter(({ caughtBy }) => caughtBy === name).length;
  if (untried.has(name)) expect(tries).toBe(0);
  else expect(tries).toBeGreaterThanOrEqual(2);
});

test("mutations: each is caught by a judge that exists, and has a name of its own", () => {
  const names = new Set(judges.map(({ name }) => name));
  expect(mutations.filter(({ caughtBy }) => !names.has(caughtBy))).toEqual([]);
  expect(new Set(mutations.map(({ breaks }) => breaks)).size).toBe(mutations.length);
});
