/**
 * The validated cell as plain data in a file: read once, shared by all services of one cell.
 *
 * The idea: the supervisor reads and judges the cell file and its profiles, and hands the outcome
 * to its children; so a driver that is started again an hour later does not meet a file that
 * someone is editing, and no child spends its start on parsing. It refuses a snapshot of another
 * version, and nothing here judges a cell.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { CellConfig } from "./cell.js";
import { deepFreeze } from "./deep-freeze.js";

interface Snapshot {
  readonly snapshot: 1;
  /** Of the package: another version judges for itself. */
  readonly version: string;
  readonly config: CellConfig;
}

/** Name of the environment variable by which a child learns of the file. */
export const snapshotVariable = "SERVOCELL_SNAPSHOT";

export function snapshotPath(runDir: string): string {
  return `${runDir}/cell.json`;
}

/** Readable by the service user alone; replaced as a whole, so nobody reads half of it. */
export function writeSnapshot(path: string, version: string, config: CellConfig): void {
  const snapshot: Snapshot = { snapshot: 1, version, config };
  writeFileSync(`${path}.new`, JSON.stringify(snapshot), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined: there is none that counts, and the cell file itself has to be read. */
export function readSnapshot(path: string, version: string): CellConfig | undefined {
  try {
    const snapshot = JSON.parse(readFileSync(path, "utf8")) as Partial<Snapshot>;
    if (snapshot.snapshot !== 1 || snapshot.version !== version) return undefined;
    return snapshot.config === undefined ? undefined : deepFreeze(snapshot.config);
  } catch {
    return undefined;
  }
}
