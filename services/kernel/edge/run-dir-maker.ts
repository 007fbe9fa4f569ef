/**
 * Makes the directories of a cell: where sockets live and where files are kept.
 *
 * The idea: stop and command sockets are protected by their directory, which only the service
 * user may enter (0700), also where `up` has let others look after its end. It refuses a run
 * directory that belongs to someone else.
 */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { ServocellError } from "../errors.js";

/** @throws FORBIDDEN when the directory belongs to another user. */
export function makeRunDir(runDir: string): void {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const owner = statSync(runDir).uid;
  const self = process.getuid?.();
  if (self !== undefined && owner !== self) {
    throw new ServocellError(
      "FORBIDDEN",
      `The run directory ${runDir} belongs to another user; remove it or run as that user.`,
      { runDir, owner },
    );
  }
  chmodSync(runDir, 0o700);
}

export function makeDataDir(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o750 });
}
