/**
 * `npm run sim`: plays seeds of a cell in its deterministic world and says what judges found.
 *
 * The idea: options in, a campaign, and its report out. It refuses to decide what is right.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { depthWishes } from "./depths.js";
import { type SimOptions, simulate } from "./sim-command.js";

const root = join(fileURLToPath(import.meta.url), "..", "..", "..", "..");
const usualCell = join(root, "simulators", "campaign", "reference-cell", "cell.yaml");

/** It could not begin, or not go on; 1 is the judges' word. */
const notPlayed = 2;

/** @throws InvalidArgumentError */
function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("a number is needed");
}

const program = new Command("servocell-sim")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : notPlayed))
  .description("Plays seeds of a cell in a deterministic world: faults, then heal, then judges.")
  .option("--cell <file>", "the cell file", usualCell)
  .option("--seeds <n>", "how many seeds", number)
  .option("--seed <n>", "one seed only, told with its timeline", number)
  .option("--from <n>", "the first seed", number, 1)
  .option("--minutes <n>", "plays seeds for so long", number)
  .option("--saga <name...>", "starts only these sagas")
  .option("--replay <file>", "plays the plan of a seed file")
  .option("--record <file>", "plays a flight recorder's file to the drivers of the cell")
  .option("--keep <folder>", "writes a seed file of every failing seed there")
  .option("--threads <n>", "worlds at a time", number, availableParallelism())
  .option("--faults-ms <n>", "virtual time in which things may go wrong, per seed", number)
  .option("--faults <n>", "faults per seed, on average", number)
  .option("--presses <n>", "presses per seed, on average", number)
  .addOption(
    new Option("--depth <which>", "on ports, down to RTU, Modbus TCP or MQTT, or every eighth seed")
      .choices(depthWishes)
      .default(undefined, "mixed; ports with --verify"),
  )
  .option("--verify", "reports for somebody who verifies a cell of their own");

try {
  const options = program.parse().opts<SimOptions>();
  process.exitCode = await simulate(options, (text) => process.stdout.write(text));
} catch (thrown) {
  process.stderr.write(`${(thrown instanceof Error && thrown.stack) || String(thrown)}\n`);
  process.exitCode = notPlayed;
}
