/**
 * One service in the foreground: `servocell driver x --cell cell.yaml`.
 *
 * The idea: the service's own main runs as a process with the arguments it gets from the
 * supervisor, its log goes to this terminal, signals are passed on, and its exit code is ours.
 * The pipe to it closes when this process dies, whatever way. It refuses to restart it.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { scriptFile } from "../supervisor/script-file.js";
import { packageRoot } from "./terminal.js";

const passedOn = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Resolves with the exit code. */
export function runServiceProcess(
  script: string,
  args: readonly string[],
  nodeFlags: readonly string[],
): Promise<number> {
  const child = spawn(process.execPath, [...nodeFlags, scriptFile(packageRoot, script), ...args], {
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, SERVOCELL_SUPERVISED: "1" },
    detached: true,
  });
  child.stdin.on("error", () => {});
  for (const signal of passedOn) process.on(signal, () => void child.kill(signal));
  return new Promise((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
