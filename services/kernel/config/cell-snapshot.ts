/**
 * The validated cell as plain data in a file: read once, shared by all services of one cell.
 *
 * The idea: the supervisor reads and judges the cell file and its profiles, and hands the outcome
 * to its children; so a driver that is started again an hour later does not meet a file that
 * someone is editing, and no child spends its start on parsing. It refuses a snapshot of another
 * version, and nothing here judges a cell.
 */
import { renameSync, writeFileSync } from "node:fs";
import type { CellConfig } from "./cell.js";
import { deepFreeze } from "./deep-freeze.js";
import { readRegularFile, readRegularFileSync } from "./regular-file.js";

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
    return configIn(readRegularFileSync(path), version);
  } catch {
    return undefined;
  }
}

/**
 * Those of several run directories, where something more urgent is under way: all are read beside
 * each other, and only then looked at, one in each turn, so that no reading waits for a looking.
 * `late`: from then on what is not read yet does not count.
 */
export async function readSnapshots(
  runDirs: readonly string[],
  version: string,
  late: Promise<unknown>,
): Promise<ReadonlyMap<string, CellConfig>> {
  const nothing = late.then(() => undefined);
  const texts = await Promise.all(
    runDirs.map(async (dir) => {
      const text = readRegularFile(snapshotPath(dir)).catch(() => undefined);
      return [dir, await Promise.race([text, nothing])] as const;
    }),
  );
  const found = new Map<string, CellConfig>();
  for (const [dir, text] of texts) {
    if (text === undefined) continue;
    const config = configIn(text, version);
    if (config !== undefined) found.set(dir, config);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return found;
}

function configIn(text: string, version: string): CellConfig | undefined {
  try {
    const snapshot = JSON.parse(text) as Partial<Snapshot>;
    if (snapshot.snapshot !== 1 || snapshot.version !== version) return undefined;
    return snapshot.config === undefined ? undefined : deepFreeze(snapshot.config);
  } catch {
    return undefined;
  }
}
