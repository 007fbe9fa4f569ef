/**
 * How `servocell verify` ends where it cannot begin.
 *
 * The idea: the built command as it is typed in CI: who reads its exit code must not take a typing
 * error for a finding. It refuses to judge worlds (test/sim/verify.sim.ts).
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const dist = join(process.cwd(), "dist");
const cell = join(process.cwd(), "examples", "planted-mistake", "cell.yaml");

function ran(script: string, ...args: readonly string[]) {
  const done = spawnSync(process.execPath, [join(dist, script), ...args], { encoding: "utf8" });
  return { code: done.status, out: done.stdout, err: done.stderr };
}
const verify = (...args: readonly string[]) => ran("services/cli/main.js", "verify", ...args);

test.each([
  [[cell, "--runs", "0"], /above 0/],
  [[cell, "--rnus", "5"], /unknown option/],
  [[], /missing required argument/],
])("verify %j: it did not begin, exit 2", (args, sentence) => {
  const { code, err } = verify(...args);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(sentence) });
});

test.each([
  [["--sedes", "5"], /unknown option/],
  [["--seeds", "many"], /a number is needed/],
])("a campaign %j: it did not begin, exit 2", (args, sentence) => {
  const { code, err } = ran("simulators/campaign/main.js", ...args);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(sentence) });
});

test("verify --help: 0", () => {
  expect(verify("--help")).toMatchObject({ code: 0, err: "" });
});
