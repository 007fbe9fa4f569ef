/**
 * The commands for the person at the cabinet: scan, read, write, doctor.
 *
 * The idea: their options, and which of them needs a cell file. It refuses to know how anything is
 * done.
 */
import { type Command, Option } from "commander";
import type { CellConfig } from "#kernel/config/cell.js";
import { ServocellError } from "#kernel/errors.js";
import { examine, tellFindings } from "./doctor.js";
import { readPoints, writePoints } from "./point-commands.js";
import { type ScanFlags, scan } from "./scan-command.js";
import { cellTarget, type Target, type TargetFlags, wireTarget } from "./target.js";

export interface CabinetDeps {
  readonly say: (line: string) => void;
  /** The checked cell, or nothing after all its problems were told. */
  readonly cellOf: (file: string) => CellConfig | undefined;
  /** Runs a command to its exit code. */
  readonly ends: <A extends unknown[]>(
    command: (...args: A) => Promise<number> | number,
  ) => (...args: A) => Promise<void>;
}

interface PointFlags extends TargetFlags {
  readonly cell?: string;
  readonly yes?: boolean;
}

export function addCabinetCommands(program: Command, deps: CabinetDeps): void {
  addScan(program, deps);
  addPoints(program, deps);
  program
    .command("doctor")
    .description("what on this PC keeps a cell from running well, each with its fix")
    .option("--cell <file>", "look at what this cell needs")
    .action(
      deps.ends(async ({ cell }: { cell?: string }) => {
        const config = cell === undefined ? undefined : deps.cellOf(cell);
        if (cell !== undefined && config === undefined) return 1;
        return tellFindings(await examine(config), deps.say);
      }),
    );
}

/** A cell file says itself where they are. */
const ownProfiles = () =>
  new Option("--profiles <dir>", "the folder of your own profiles").default("profiles");

function addScan(program: Command, { say, ends }: CabinetDeps): void {
  program
    .command("scan <where>")
    .description("find the units on a port (/dev/…), host:port or rtu:host:port; reads only")
    .option("--baud <list>", "rates to try, such as 9600,19200")
    .option("--format <list>", "formats to try: 8N1, 8N2, 8E1, 8O1")
    .option("--units <list>", "units to ask, 1 to 247", "1-32")
    .addOption(ownProfiles())
    .option("--timeout <ms>", "wait for the first byte of a reply", "60")
    .option("--thorough", "ask silent units also what each profile reads first", false)
    .option("--all", "go on with other line settings after somebody has answered", false)
    .action(
      ends(async (where: string, flags: ScanFlags) => {
        let asked = false;
        process.once("SIGINT", () => {
          asked = true;
        });
        const live = process.stderr.isTTY === true;
        const progress = (line: string) => {
          // A file keeps results; where nobody watches, progress is noise.
          if (live) process.stderr.write(`\r\u001b[K${line}`);
        };
        return scan(where, flags, { say, progress, ended: () => asked });
      }),
    );
}

function addPoints(program: Command, { say, cellOf, ends }: CabinetDeps): void {
  const hint = (line: string) => void process.stderr.write(`${line}\n`);
  const targetOf = (where: string, flags: PointFlags): Target | undefined => {
    if (flags.cell === undefined) return wireTarget(where, flags);
    const config = cellOf(flags.cell);
    return config === undefined ? undefined : cellTarget(config, where);
  };
  const withTarget = (command: Command): Command =>
    command
      .option("--cell <file>", "the target is a device of this cell file")
      .option("--unit <n>", "unit on the wire")
      .option("--profile <id>", "names for the points of a unit on a wire")
      .addOption(ownProfiles())
      .option("--baud <rate>", "of a serial port", "19200")
      .option("--format <format>", "of a serial port", "8E1")
      .option("--echo", "the adapter hears what it sends", false);
  withTarget(
    program
      .command("read <target> [values...]")
      .description("read points by name, or raw such as 3:0x3200:2; all readable points if none"),
  ).action(
    ends((where: string, values: readonly string[], flags: PointFlags) => {
      const target = targetOf(where, flags);
      return target === undefined ? 1 : readPoints(target, values, { say, hint });
    }),
  );
  withTarget(
    program
      .command("write <target> <values...>")
      .description("write point=value, or raw such as 6:0x3100=0x0006; says first what it will do")
      .option("--yes", "do it", false),
  ).action(
    ends((where: string, values: readonly string[], flags: PointFlags) => {
      if (values.length === 0) throw new ServocellError("VALIDATION_FAILED", "nothing to write");
      const target = targetOf(where, flags);
      return target === undefined
        ? 1
        : writePoints(target, values, flags.yes === true, { say, hint });
    }),
  );
}
