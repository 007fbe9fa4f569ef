/**
 * Who holds a serial port, for the message that says so.
 *
 * The idea: /proc shows the open files of processes that we may look into. It refuses to guess:
 * without a hit it says nothing.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

/** Processes looked into at most. */
const processesMax = 4096;

/** `process 812 (minicom)`, or undefined. */
export function holderOf(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const holders = pids.slice(0, processesMax).filter((pid) => holds(pid, real));
    const others = holders.filter((pid) => Number(pid) !== process.pid);
    const [pid] = others.length > 0 ? others : holders;
    if (pid === undefined) return undefined;
    if (Number(pid) === process.pid) return "this process";
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`;
  } catch {
    return undefined;
  }
}

function holds(pid: string, real: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === real;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
