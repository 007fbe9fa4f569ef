/**
 * The command `verify`: a cell and its sagas, played in a deterministic world, judged.
 *
 * The idea: the campaign is a program of its own (simulators/campaign), so this only says what is
 * asked of it and passes its words and its exit code on. It refuses to touch a device.
 */

import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { CabinetDeps } from "./cabinet-commands.js";
import { runServiceProcess } from "./service-process.js";

export interface VerifyFlags {
  readonly saga: readonly string[];
  readonly runs: number;
  readonly from: number;
  readonly minutes?: number;
  readonly replay?: string;
  readonly keep?: string;
  readonly threads?: number;
}

const collect = (value: string, before: readonly string[]) => [...before, value];

/** @throws InvalidArgumentError */
function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("a number above 0 is needed");
}

/** @throws InvalidArgumentError */
function whole(text: string): number {
  const value = positive(text);
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("a whole number is needed");
}

export function campaignArguments(cell: string, flags: VerifyFlags): readonly string[] {
  const { saga, runs, from, minutes, replay, keep, threads } = flags;
  const option = (name: string, value: string | number | undefined) => {
    return value === undefined ? [] : [name, String(value)];
  };
  return [
    "--verify",
    ...["--cell", resolve(cell)],
    ...(minutes === undefined ? ["--seeds", String(runs)] : []),
    ...["--from", String(from)],
    ...saga.flatMap((name) => ["--saga", name]),
    ...option("--minutes", minutes),
    ...option("--replay", replay === undefined ? undefined : resolve(replay)),
    ...option("--keep", keep === undefined ? undefined : resolve(keep)),
    ...option("--threads", threads),
  ];
}

/** It could not begin; 1 would say that judges found something. */
const notBegun = 2;

export function addVerifyCommand(program: Command, { ends }: Pick<CabinetDeps, "ends">): void {
  program
    .command("verify <cell>")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : notBegun))
    .description("play the cell's sagas against faults in a simulated world, and judge; no device")
    .option("--saga <name>", "start only this saga (may be repeated)", collect, [])
    .option("--runs <n>", "worlds to play, each with faults of its own", whole, 100)
    .option("--from <n>", "the first seed", whole, 1)
    .option("--minutes <n>", "play for so long instead", positive)
    .option("--replay <file>", "play a counterexample again")
    .option("--keep <folder>", "write each counterexample as a file there", "counterexamples")
    .option("--threads <n>", "worlds at a time", whole)
    .action(
      ends((cell: string, flags: VerifyFlags) => {
        const script = "dist/simulators/campaign/main.js";
        return runServiceProcess(script, campaignArguments(cell, flags), []);
      }),
    );
}
