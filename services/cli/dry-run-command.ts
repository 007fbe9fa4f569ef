/**
 * The command `dry-run`: its options.
 *
 * The idea: a cell file and the name of one of its sagas; everything else has a default. It
 * refuses to know how a forecast is made.
 */
import { type Command, Option } from "commander";
import type { CabinetDeps } from "./cabinet-commands.js";
import { type DryRunFlags, dryRun } from "./dry-run.js";

const collect = (value: string, before: readonly string[]) => [...before, value];

export function addDryRunCommand(program: Command, { say, ends, cellOf }: CabinetDeps): void {
  program
    .command("dry-run <cell> <saga>")
    .description("how long a saga takes at best, what would be refused; touches no device")
    .option(
      "--input <name=value>",
      "an input of the saga, with a unit where it has one",
      collect,
      [],
    )
    .option("--at <axis=position>", "where an axis stands at the start", collect, [])
    .addOption(
      new Option("--from <place>", "where the other axes are taken to stand")
        .choices(["middle", "home"])
        .default("middle"),
    )
    .option("--json", "the whole forecast as JSON")
    .action(
      ends((file: string, saga: string, flags: DryRunFlags) => {
        const config = cellOf(file);
        return config === undefined ? 1 : dryRun(config, saga, flags, say);
      }),
    );
}
