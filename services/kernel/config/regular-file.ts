/**
 * Reads a file of a folder into which others may put things.
 *
 * The idea: opening a pipe waits until somebody writes to it, and so would whoever looks through
 * the run directories of a PC; so nothing is waited for, and what has been opened is looked at
 * before it is read. It refuses whatever is not a file itself: a pipe, a device, a link.
 */
import { closeSync, constants, fstatSync, openSync, promises, readFileSync } from "node:fs";

const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** @throws Error with the reason of the system, and where it is no regular file. */
export function readRegularFileSync(path: string): string {
  const file = openSync(path, flags);
  try {
    if (!fstatSync(file).isFile()) throw notRegular(path);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** The same, while other things go on. */
export async function readRegularFile(path: string): Promise<string> {
  const file = await promises.open(path, flags);
  try {
    if (!(await file.stat()).isFile()) throw notRegular(path);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function notRegular(path: string): Error {
  return new Error(`${path} is no regular file`);
}
