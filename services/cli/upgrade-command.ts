/**
 * `servocell upgrade <device>`: a new process of a driver, or of another service, in its place.
 *
 * The idea: what is on the disk now is loaded and stands by beside the old process, which ends by
 * itself at its axis' standstill; nothing else is disturbed. It refuses to hurry: an axis that is
 * needed keeps its driver until the limit.
 */
import type { Command } from "commander";
import type { CellConfig } from "#kernel/config/cell.js";
import { inUnit } from "#kernel/config/quantities.js";
import { ServocellError } from "#kernel/errors.js";
import { seconds } from "./run-report.js";
import { replaceLimitMs, replaceService } from "./supervisor-control.js";

export interface UpgradeDeps {
  readonly say: (line: string) => void;
  readonly ends: <A extends unknown[]>(
    command: (...args: A) => Promise<number> | number,
  ) => (...args: A) => Promise<void>;
  readonly cellOf: (
    file: string,
    options: { readonly data?: string; readonly simulated?: boolean },
  ) => CellConfig | undefined;
}

interface UpgradeFlags {
  readonly cell: string;
  readonly within: string;
  readonly data?: string;
}

export function addUpgradeCommand(program: Command, { say, ends, cellOf }: UpgradeDeps): void {
  program
    .command("upgrade <device>")
    .description("put a new process in the place of a driver (or service) at its standstill")
    .requiredOption("--cell <file>", "the cell file")
    .option("--data <dir>", "where the services keep their files")
    .option("--within <time>", "how long its axis may keep it", "10 min")
    .action(
      ends(async (device: string, flags: UpgradeFlags) => {
        const { data } = flags;
        const config = cellOf(flags.cell, data === undefined ? {} : { data });
        if (config === undefined) return 1;
        const limitMs = inUnit(flags.within, "ms");
        if (typeof limitMs !== "number" || limitMs <= 0 || limitMs > replaceLimitMs) {
          const text = `--within ${flags.within} is no time up to ${replaceLimitMs / 60_000} min.`;
          throw new ServocellError("VALIDATION_FAILED", text);
        }
        const startedMs = performance.now();
        await replaceService(config.runDir, device, limitMs);
        say(`${device} was replaced after ${seconds(performance.now() - startedMs)}.`);
        return 0;
      }),
    );
}
