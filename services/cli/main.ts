#!/usr/bin/env node
/**
 * The command `servocell`: its subcommands and their options.
 *
 * The idea: every command checks its cell file first, then does one thing and ends with an exit
 * code; failures are one sentence with a code. It refuses to know how anything is done.
 */
import { join } from "node:path";
import { Command, Option } from "commander";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { createNewId } from "#kernel/edge/ids.js";
import { packageVersion } from "#kernel/edge/process.js";
import { makeRunDir } from "#kernel/edge/run-dir-maker.js";
import { readSagaModule } from "#kernel/edge/saga-module-reader.js";
import { ServocellError } from "#kernel/errors.js";
import { simControlPath } from "#kernel/run-dir.js";
import { planCell } from "../supervisor/plan.js";
import { addBusCommands } from "./bus-commands.js";
import { addCabinetCommands } from "./cabinet-commands.js";
import { addCellCommands } from "./cell-commands.js";
import { checkCell } from "./check.js";
import { Api } from "./client.js";
import type { StopKind } from "./direct-stop.js";
import { addDryRunCommand } from "./dry-run-command.js";
import { parseFault } from "./fault-option.js";
import { type ApiOptions, apiBase, gatewayBase, withGateway } from "./gateway-option.js";
import { addJogCommand } from "./jog-command.js";
import { formatted } from "./problem-lines.js";
import { addProfileCommands } from "./profile-command.js";
import { addRunCommands } from "./run-commands.js";
import { addRunsCommands } from "./runs-commands.js";
import { runServiceProcess } from "./service-process.js";
import { needsSimulatorCell, simulatorCell } from "./simulator-cell.js";
import { localRunDirs, runDirsOf, stop } from "./stop-command.js";
import { openTerminal, packageRoot } from "./terminal.js";
import { up } from "./up.js";
import { addUpgradeCommand } from "./upgrade-command.js";
import { addVerifyCommand } from "./verify-command.js";

interface CellOptions {
  readonly simulated?: boolean;
  readonly data?: string;
}
interface SimFlags {
  readonly from?: string;
  readonly serial?: string;
  readonly tcp?: string;
  readonly listen?: string;
}
interface UpFlags extends CellOptions {
  readonly tap?: string;
  readonly fault: readonly string[];
  readonly once?: string;
  readonly reset?: boolean;
  readonly logs?: boolean;
}

const terminal = openTerminal(process.env.SERVOCELL_VERBOSE === "1");
const say = (line: string) => terminal.say(line);
const newId = createNewId();
const demoCell = join(packageRoot, "examples", "pick-and-place", "cell.yaml");

/** The checked cell, or nothing after all its problems were told. */
function cellOf(file: string, options: CellOptions): CellConfig | undefined {
  const effective = {
    ...(options.data === undefined ? {} : { dataDir: options.data }),
    ...(options.simulated === true ? { simulated: true } : {}),
    ...(process.env.SERVOCELL_RUN_DIR ? { runDir: process.env.SERVOCELL_RUN_DIR } : {}),
  };
  const checked = loadCell(file, effective, readSagaModule);
  const problems = checked.ok ? checked.warnings : checked.problems;
  for (const line of formatted(problems)) process.stderr.write(`${line}\n`);
  return checked.ok ? checked.value : undefined;
}

function apiOf(options: ApiOptions): Api {
  const given = options.gateway ?? options.api;
  if (given !== undefined) return new Api(apiBase(given), newId);
  const config = options.cell === undefined ? undefined : cellOf(options.cell, {});
  if (options.cell !== undefined && config === undefined) {
    throw new ServocellError("VALIDATION_FAILED", `${options.cell} cannot be used.`);
  }
  return new Api(gatewayBase(config?.gateway ?? { host: "127.0.0.1", port: 8080 }), newId);
}

/** Runs a command to its exit code; a failure is a sentence and 1. */
function ends<A extends unknown[]>(command: (...args: A) => Promise<number> | number) {
  return async (...args: A): Promise<void> => {
    try {
      process.exitCode = await command(...args);
    } catch (thrown) {
      terminal.fail(thrown);
      process.exitCode = 1;
    }
  };
}

const program = new Command("servocell")
  .description("Runs a cell of servo drives, inverters and grippers that speak Modbus.")
  .version(packageVersion())
  .showHelpAfterError();

const dataOption = new Option("--data <dir>", "where the services keep their files");
const simulatedOption = new Option("--simulated", "simulated devices, whatever the file says");
const collect = (value: string, before: readonly string[]) => [...before, value];

function withUpOptions(command: Command): Command {
  return command
    .addOption(simulatedOption)
    .addOption(dataOption)
    .option("--tap <file>", "every frame at the simulated devices, one JSON object a line")
    .option("--fault <device=fault[:value]@step>", "a fault of a simulated device", collect, [])
    .option("--once <saga>", "run one saga, report each step, end the cell")
    .option("--reset", "with --once: reset latches and abandon runs of an earlier time")
    .option("--logs", "the services write their logs to this terminal");
}

function bringUp(file: string, flags: UpFlags): Promise<number> | number {
  const config = cellOf(file, flags);
  if (config === undefined) return 1;
  const { tap, once } = flags;
  const options = {
    simulated: flags.simulated === true,
    faults: flags.fault.map(parseFault),
    reset: flags.reset === true,
    logs: flags.logs === true,
    ...(tap === undefined ? {} : { tap }),
    ...(once === undefined ? {} : { once }),
  };
  return up(config, options, terminal);
}

withUpOptions(program.command("up <cell>").description("bring a cell up and keep it up")).action(
  ends(bringUp),
);
withUpOptions(program.command("demo").description("bring the demo cell up")).action(
  ends((flags: UpFlags) => {
    const data = flags.data ?? join(packageRoot, "data", "pick-and-place");
    return bringUp(demoCell, { ...flags, data });
  }),
);
program
  .command("check <cell>")
  .description("check a cell file and show its effective values; touches no device")
  .addOption(simulatedOption)
  .addOption(dataOption)
  .action(
    ends((file: string, options: CellOptions) => {
      const config = cellOf(file, options);
      if (config === undefined) return 1;
      for (const line of checkCell(config)) say(line);
      return 0;
    }),
  );
program
  .command("sim [cell]")
  .description("serve the devices of a cell file, or recorded ones, as simulated ones")
  .option("--from <tap file>", "devices that answer as they were recorded, instead of a cell")
  .option("--serial <path>", "with --from: where the line's terminal is to be found")
  .option("--tcp <host:port>", "with --from: where Modbus TCP is to be served")
  .option(
    "--listen <address>",
    "an address of this PC for the TCP buses, whatever host the file names; beyond loopback " +
      "anybody on that network reaches them (default: the file's, loopback only)",
  )
  .option("--tap <file>", "every frame, one JSON object a line")
  .option("--fault <device=fault[:value]>", "a fault from the start", collect, [])
  .addOption(dataOption)
  .action(
    ends((file: string | undefined, flags: UpFlags & SimFlags) => {
      const tap = flags.tap === undefined ? [] : ["--tap", flags.tap];
      const faults = flags.fault.flatMap((fault) => ["--fault", fault]);
      const listen = flags.listen === undefined ? [] : ["--listen", flags.listen];
      const common = [...listen, ...tap, ...faults];
      if (flags.from !== undefined) {
        const { from, serial, tcp } = flags;
        const place = Object.entries({ from, serial, tcp });
        const args = place.flatMap(([key, value]) =>
          value === undefined ? [] : [`--${key}`, value],
        );
        return runServiceProcess("dist/simulators/main.js", [...args, ...common], []);
      }
      if (file === undefined) {
        throw new ServocellError("VALIDATION_FAILED", "Name a cell file, or --from a recording.");
      }
      const config = cellOf(file, flags);
      if (config === undefined) return 1;
      makeRunDir(config.runDir);
      const control = ["--control", simControlPath(config.runDir)];
      const cell = needsSimulatorCell(config, false) ? simulatorCell(config, true) : file;
      const args = ["--cell", cell, ...control, ...common];
      return runServiceProcess("dist/simulators/main.js", args, []);
    }),
  );

/** Runs one service of the plan in the foreground. */
/** `devices`: drivers that share the process, whatever the cell file groups. */
async function runService(
  service: string,
  flags: CellOptions & { cell: string },
  devices: readonly string[] = [],
) {
  const config = cellOf(flags.cell, flags);
  if (config === undefined) return 1;
  const isolation = devices.length > 1 ? [devices] : [];
  const plan = planCell({ ...config, isolation }, { simulated: flags.simulated === true });
  const lines = plan.filter((child) => child.service.startsWith("bus-"));
  const onlyLine = service === "bus" && lines.length === 1 ? lines[0] : undefined;
  const spec = plan.find((child) => child.service === service) ?? onlyLine;
  if (spec === undefined) {
    const known = plan.map((child) => child.service.replace(/^(driver|bus)-/, "$1 ")).join(", ");
    const text = `${flags.cell} has no ${service.replace(/^(driver|bus)-/, "$1 ")}; it has ${known}.`;
    throw new ServocellError("NOT_FOUND", text);
  }
  return runServiceProcess(spec.script, spec.args, spec.nodeFlags);
}

program
  .command("bus")
  .description("run the bus service of a cell alone: of one serial line, or of all TCP endpoints")
  .requiredOption("--cell <file>", "the cell file")
  .option("--bus <id>", "the serial line; needed where the cell has more than one bus process")
  .addOption(simulatedOption)
  .addOption(dataOption)
  .action(
    ends((flags: CellOptions & { cell: string; bus?: string }) => {
      if (flags.bus !== undefined) return runService(`bus-${flags.bus}`, flags);
      return runService("bus", flags);
    }),
  );
for (const service of ["broker", "coordinator", "gateway"]) {
  program
    .command(service)
    .description(`run the ${service} of a cell alone`)
    .requiredOption("--cell <file>", "the cell file")
    .addOption(simulatedOption)
    .addOption(dataOption)
    .action(ends((flags: CellOptions & { cell: string }) => runService(service, flags)));
}
program
  .command("driver <devices...>")
  .alias("drivers")
  .description("run the driver of one device alone, or several drivers in one process")
  .requiredOption("--cell <file>", "the cell file")
  .addOption(simulatedOption)
  .addOption(dataOption)
  .action(
    ends((devices: string[], flags: CellOptions & { cell: string }) =>
      runService(`driver${devices.length > 1 ? "s" : ""}-${devices[0]}`, flags, devices),
    ),
  );

withGateway(program.command("stop"))
  .description("stop every axis, over the gateway and directly")
  .addOption(
    new Option("--kind <kind>", "how").choices(["stop", "quickStop", "abort"]).default("stop"),
  )
  .action(
    ends(async (options: ApiOptions & { kind: StopKind }) => {
      const config = options.cell === undefined ? undefined : cellOf(options.cell, {});
      // A stop goes out even where the cell file is broken: what is found here is told to stop.
      const given = options.gateway ?? options.api;
      const runDirs = config !== undefined ? await runDirsOf(config) : given ? [] : localRunDirs();
      const named = given === undefined ? {} : { gateway: given };
      const api = config === undefined ? apiOf(named) : apiOf(options);
      const { kind } = options;
      return stop({ kind, id: newId(), api, runDirs, config, log: terminal.log, say });
    }),
  );

const clients = { say, ends, apiOf, newId };
addRunCommands(program, clients);
addRunsCommands(program, clients);
addCellCommands(program, clients);
addJogCommand(program, clients);
addProfileCommands(program, say, ends);
const deps = { say, ends, cellOf: (file: string) => cellOf(file, {}) };
addDryRunCommand(program, deps);
addCabinetCommands(program, deps);
addUpgradeCommand(program, { say, ends, cellOf });
addBusCommands(program, deps);
addVerifyCommand(program, deps);

await program.parseAsync();
