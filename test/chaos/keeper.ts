/**
 * The process that is left when chaos itself dies: it ends what was started, and cleans up.
 *
 * The idea: all processes of one run carry a mark in their environment, so they are found however
 * they were orphaned; the pipe to this process closes when its parent ends, whatever way. It
 * refuses to touch a process without the mark.
 *
 * Arguments: the mark, then the folders to remove (a file system mounted below goes first).
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";

/** In the environment of every process of a run. */
export const markVariable = "SERVOCELL_CHAOS";
const orderlyMs = 6_000;

/** Processes with the mark, by id. */
export function marked(mark: string): readonly number[] {
  const wanted = `${markVariable}=${mark}`;
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const has = readFileSync(`/proc/${entry}/environ`, "utf8").split("\0").includes(wanted);
      return has && Number(entry) !== process.pid ? [Number(entry)] : [];
    } catch {
      // Not ours to read, or gone while we looked.
      return [];
    }
  });
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // Ended meanwhile.
    }
  }
}

/** Ends all processes with the mark: in order first, then by force. */
export async function endMarked(mark: string): Promise<void> {
  signal(marked(mark), "SIGCONT");
  signal(marked(mark), "SIGTERM");
  const end = Date.now() + orderlyMs;
  while (marked(mark).length > 0 && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  while (marked(mark).length > 0) {
    signal(marked(mark), "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function removeFolders(folders: readonly string[]): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  for (const folder of folders) {
    for (const line of mounts) {
      const at = line.split(" ")[1] ?? "";
      if (at.startsWith(`${folder}/`)) spawnSync("umount", ["-l", at], { stdio: "ignore" });
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

async function keep(mark: string, folders: readonly string[]): Promise<void> {
  for (const name of ["SIGINT", "SIGHUP", "SIGTERM"] as const) process.on(name, () => undefined);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("close", resolve));
  await endMarked(mark);
  removeFolders(folders);
}

const [, script = "", mark, ...folders] = process.argv;
if (script.endsWith("/keeper.js") && mark !== undefined) await keep(mark, folders);
