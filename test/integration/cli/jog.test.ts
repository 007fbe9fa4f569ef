/**
 * `servocell jog` against a real gateway with a played driver: how its words are read, what it
 * echoes, and how it ends.
 *
 * The idea: real HTTP between both; the played driver keeps which echoes came. It refuses to assert
 * wall-clock times.
 */
import { Command } from "commander";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNewId } from "#kernel/edge/ids.js";
import { codeOf, textOf } from "#kernel/errors.js";
import { Api } from "../../../services/cli/client.js";
import { addJogCommand } from "../../../services/cli/jog-command.js";
import { axes, PlayedCell } from "../../fixtures/gateway/played-cell.js";
import { PlayedHolds } from "../../fixtures/gateway/played-hold.js";

const newId = createNewId();
let cell: PlayedCell;
let holds: PlayedHolds;

beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
  cell.cell("Idle", ["stop"], { mode: "Manual" });
  for (const axis of axes) {
    cell.axis(axis, { position: 12.5 });
    const ways = { operator: true, lease: true, guardian: true, watchdog: "none" };
    const kind = { profile: "kinco/fd5p", kind: "servo" as const, bus: "gantry", unit: 1 };
    const units = { positionUnit: "mm", velocityUnit: "mm/s", velocityMax: 500 };
    const head = { v: 1 as const, ts: Date.now(), device: axis, verbs: ["jog"], leaseMs: 1000 };
    cell.main.say("metaDevice", { device: axis }, { ...head, ...kind, ...units, waysToStop: ways });
  }
  holds = new PlayedHolds(cell);
});
afterEach(() => cell.end());

/** As a person types it; what it says, and how it ends. */
async function typed(...words: string[]) {
  const lines: string[] = [];
  let exit: number | undefined;
  let failed: unknown;
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addJogCommand(program, {
    say: (line) => lines.push(line),
    apiOf: () => new Api(`${cell.url}/api/v1`, newId),
    newId,
    ends:
      (command) =>
      async (...args) => {
        exit = await command(...args);
      },
  });
  for (const one of program.commands) {
    one.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(["jog", ...words], { from: "user" }).catch((thrown: unknown) => {
    failed = thrown;
  });
  return { lines, exit, failed };
}

test.each([
  ["+10mm/s", 10],
  ["10mm/s", 10],
  ["-10mm/s", -10],
  ["-2.5mm/s", -2.5],
])("jog x %s: that speed with its sign, held and let go", async (written, velocity) => {
  const { lines, exit, failed } = await typed("x", written, "--for", "1s");
  expect(failed).toBeUndefined();
  expect(exit).toBe(0);
  expect(holds.presses).toMatchObject([{ axis: "x", velocity, ended: "released" }]);
  expect(holds.presses[0]?.echoes.at(-1)).toBe("let go");
  expect(holds.presses[0]?.echoes.length).toBeGreaterThan(1);
  expect(lines).toEqual(["x: released at 12.50 mm"]);
});

test("jog: options may stand before a speed in the minus direction", async () => {
  const { exit } = await typed("--for", "250ms", "x", "-10mm/s");
  expect(exit).toBe(0);
  expect(holds.presses).toMatchObject([{ velocity: -10 }]);
});

test("jog: the driver ends it: its reason is said, and the exit code tells", async () => {
  const ended = typed("x", "-10mm/s", "--for", "2s");
  const echoes = () => holds.presses[0]?.echoes.length ?? 0;
  await expect.poll(echoes, { timeout: 10_000 }).toBeGreaterThan(0);
  const [press] = holds.presses;
  if (press === undefined) throw new Error("nothing was pressed");
  holds.end(press, "the interlock z-up broke");
  const { lines, exit } = await ended;
  expect(exit).toBe(1);
  expect(lines[0]).toContain("the interlock z-up broke");
  expect(press.echoes).not.toContain("let go");
});

test.each([
  [["x", "10mm"], "VALIDATION_FAILED"],
  [["x", "10rpm"], "VALIDATION_FAILED"],
  [["x", "-fast"], "VALIDATION_FAILED"],
  [["x", "10mm/s", "--for", "3s"], "VALIDATION_FAILED"],
  [["x", "10mm/s", "--for", "0ms"], "VALIDATION_FAILED"],
  [["w", "10mm/s"], "NOT_FOUND"],
  [["x", "10mm/s", "--fro", "1s"], undefined],
  [["x"], undefined],
] as const)("jog %j: refused in words, and nothing was pressed", async (words, code) => {
  const { failed, exit } = await typed(...words);
  expect(exit).toBeUndefined();
  expect(textOf(failed)).not.toBe("");
  expect(failed).toBeInstanceOf(Error);
  if (code !== undefined) expect(codeOf(failed)).toBe(code);
  expect(holds.presses).toEqual([]);
});

test("jog: refused by the coordinator: its code and its words", async () => {
  cell.coordinatorSays("failed", "INTERLOCKED", "z is not up.");
  const { failed } = await typed("x", "10mm/s");
  expect(codeOf(failed)).toBe("INTERLOCKED");
  expect(textOf(failed)).toContain("z is not up.");
});
