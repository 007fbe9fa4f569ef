/**
 * What a child process of the supervisor says last, from its log.
 *
 * The idea: real processes of a line or two, in a folder that stands for the package. It refuses
 * to restart them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { LastWords } from "../../../services/supervisor/app.js";
import { childSpawner } from "../../../services/supervisor/child.js";

const root = mkdtempSync(join(tmpdir(), "child-"));
afterAll(() => rmSync(root, { recursive: true }));

const told = JSON.stringify({ level: 50, error: "the port is taken", code: "PORT_IN_USE" });

test.each([
  ["an error that nobody caught", 'require("node:fs").openSync("/none/file")', /ENOENT.*\/none/],
  ["one with a code", 'new URL("nothing")', /^TypeError.*: Invalid URL/],
  [
    "an error in its log",
    `console.error(${JSON.stringify(`${told}\n(end)`)})`,
    /^the port is taken$/,
  ],
  ["a sentence", 'console.error("The tap cannot be written.")', /^The tap cannot be written\.$/],
])("last words of a child: %s", async (_, script, words) => {
  writeFileSync(join(root, "child.cjs"), script);
  const spawn = childSpawner({ root, logDir: join(root, "log") });
  const child = spawn({
    service: "child",
    script: "child.cjs",
    args: [],
    nodeFlags: [],
    env: {},
    startRank: 1,
    endRank: 1,
    readyWithinMs: 15_000,
    endWithinMs: 15_000,
    essential: true,
    priority: 0,
  });
  const last = await new Promise<LastWords>((resolve) => child.onExit(resolve));
  expect(last.text).toMatch(words);
});
