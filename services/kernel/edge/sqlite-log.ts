/**
 * The write-ahead log of a database: its room on the disk, and its way there.
 *
 * The idea: a commit that makes the log longer also changes the file's size and its blocks, and
 * then the disk waits for the file system's own journal, and with it for what all others write. A
 * commit into room that is already there is one plain write, and `fdatasync` leaves it at that,
 * where the `fsync` of SQLite has the file's time written as well. SQLite passes over what stands
 * behind its last frame. It refuses room where the disk is short of space: then the log grows as it
 * always did.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  statfsSync,
  writeSync,
} from "node:fs";

/** The log is moved into the file at 1000 pages; a large transaction comes on top. */
export const logBytes = 4_456_448;
/** Free space that is left for others. */
const freeBytesMin = 268_435_456;
const portionBytes = 262_144;

/** The log of a database that is open, for as long as it is. */
export class LogFile {
  readonly #file: number;

  constructor(database: string) {
    this.#file = openSync(`${database}-wal`, "r+");
  }

  /** Returns once all that was written to the log is on the disk. @throws what the disk says */
  flush(): void {
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * Fills the log up with zeros, in the very thread that commits: nobody else writes behind its end.
 * The way to the disk is not waited for.
 */
export function makeRoom(database: string): void {
  const log = `${database}-wal`;
  const { bavail, bsize } = statfsSync(database);
  if (bavail * bsize < freeBytesMin) return;
  const file = openSync(log, "r+");
  const before = fstatSync(file).size;
  try {
    const zeros = Buffer.alloc(portionBytes);
    for (let at = before; at < logBytes; at += portionBytes)
      writeSync(file, zeros, 0, portionBytes, at);
  } catch (thrown) {
    ftruncateSync(file, before);
    closeSync(file);
    throw thrown;
  }
  fdatasync(file, () => closeSync(file));
}
