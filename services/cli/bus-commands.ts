/**
 * The commands that listen to a bus or make devices of what was heard.
 *
 * The idea: their options, and which of them needs a cell file. It refuses to know how anything is
 * done.
 */
import type { Command } from "commander";
import { ServocellError } from "#kernel/errors.js";
import type { CabinetDeps } from "./cabinet-commands.js";
import { type TapFlags, tapBus, tapFile } from "./tap-command.js";

export function addBusCommands(program: Command, deps: CabinetDeps): void {
  addTap(program, deps);
}

function addTap(program: Command, { say, cellOf, ends }: CabinetDeps): void {
  program
    .command("tap [bus]")
    .description("show what happens on a bus, decoded; or what its recorder has kept")
    .option("--cell <file>", "the cell file; names, units and where the bus listens")
    .option("--file <out>", "write the records there too; `sim --from` reads them")
    .option("--from <file>", "show a file of records instead of a living bus")
    .option("--unit <n>", "only this unit")
    .option("--device <id>", "only this device")
    .action(
      ends((bus: string | undefined, flags: TapFlags) => {
        const config = flags.cell === undefined ? undefined : cellOf(flags.cell);
        if (flags.cell !== undefined && config === undefined) return 1;
        const hint = (line: string) => void process.stderr.write(`${line}\n`);
        const onEnd = (stop: () => void) => {
          process.once("SIGINT", stop);
          process.once("SIGTERM", stop);
        };
        const ports = { say, hint, onEnd };
        if (flags.from !== undefined) return tapFile(flags.from, config, flags, ports);
        if (bus === undefined || config === undefined) {
          const text = "tap needs a bus and --cell, or --from with a file of records.";
          throw new ServocellError("VALIDATION_FAILED", text);
        }
        return tapBus(bus, config, flags, ports);
      }),
    );
}
