/**
 * The house style as a test: arrows, sizes, words, formatting and lint.
 *
 * The idea: every tracked file goes through the checker, and the complaints are the failure
 * message. It refuses exceptions by file name.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkFile, topLevel } from "./tidy/checker.js";

const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && existsSync(path));

test("tidy: every file stands in its room and keeps to the house style", () => {
  const text = /\.(ts|mjs|json|ya?ml|md|html|css|py|sql)$|^\.ci\/|^Dockerfile$/;
  const complaints = tracked
    .filter((path) => text.test(path) && path !== "package-lock.json")
    .flatMap((path) => checkFile(path, readFileSync(path, "utf8")));
  expect(complaints.join("\n")).toBe("");
});

test("tidy: the top level holds only what the design names", () => {
  const strangers = tracked.map((path) => path.split("/")[0] ?? "").filter((n) => !topLevel.has(n));
  expect([...new Set(strangers)]).toEqual([]);
});

test("tidy: the lockfile names no registry host", () => {
  expect(readFileSync("package-lock.json", "utf8")).not.toMatch(/"resolved": *"http/);
});

test("tidy: formatter and linter find nothing", () => {
  const done = spawnSync("node_modules/.bin/biome", ["check", "--max-diagnostics=50", "."], {
    encoding: "utf8",
  });
  expect(done.status === 0 ? "" : done.stderr + done.stdout).toBe("");
}, 60_000);
