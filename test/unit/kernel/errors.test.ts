/**
 * The registry of errors against its document and its users.
 * The idea: docs/ERRORS.md is proved both ways. It refuses codes that stand in one place only.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { operationCodes } from "#drivers/reading.js";
import { errors } from "#kernel/errors.js";

const document = readFileSync(new URL("../../../docs/ERRORS.md", import.meta.url), "utf8");
const rows = new Map(
  [...document.matchAll(/^\| `([A-Z_]+)` \| (.*) \|$/gm)].map((row) => [row[1], row[2]]),
);

it("every registered error stands in docs/ERRORS.md, word for word", () => {
  for (const [code, { http, retry, meaning, action }] of Object.entries(errors)) {
    expect([code, rows.get(code)]).toEqual([code, `${http} | ${retry} | ${meaning} | ${action}`]);
  }
});

it("every error of docs/ERRORS.md is registered, once and in order", () => {
  const listed = [...document.matchAll(/^\| `([A-Z_]+)`/gm)].map((row) => row[1]);
  expect(listed).toEqual(Object.keys(errors).sort());
});

it("every code of a device operation is registered", () => {
  for (const code of operationCodes) expect(Object.keys(errors)).toContain(code);
});

it("a code that may not be repeated by itself is one whose outcome is in doubt", () => {
  const doubtful = Object.entries(errors)
    .filter(([, spec]) => spec.retry === "never-automatic")
    .map(([code]) => code);
  expect(doubtful).toEqual([
    "OUTCOME_UNKNOWN",
    "NOT_ACCEPTED",
    "NOT_DONE_IN_TIME",
    "NOT_DELIVERED",
  ]);
});
