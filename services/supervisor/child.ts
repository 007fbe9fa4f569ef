/**
 * One child process: how it is started, heard and ended.
 *
 * The idea: the child gets a pipe as standard input (when this process dies, the pipe closes and
 * the child stops its axes), says `ready` on standard output, and writes its log straight to a
 * file, so that it can go on writing when nobody reads. It is kept out of the terminal's process
 * group: Ctrl-C reaches the supervisor alone, which ends all in order. It refuses to restart.
 */
import { type ChildProcess as NodeChild, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, errors } from "#kernel/errors.js";
import type { ChildProcess, LastWords, Spawn } from "./app.js";
import type { ChildSpec } from "./plan.js";
import { atPriority, favourSession } from "./priority.js";
import { scriptFile } from "./script-file.js";

export interface SpawnSetup {
  /** The root of the package, where `dist/` is. */
  readonly root: string;
  /** Folder of the log files; absent: the children write to this terminal. */
  readonly logDir?: string;
}

/** A log longer than this is put aside when its service starts (one earlier file is kept). */
const logBytesMax = 5_000_000;
const lastWordsBytes = 8_192;

export function childSpawner(setup: SpawnSetup): Spawn {
  if (setup.logDir !== undefined) mkdirSync(setup.logDir, { recursive: true });
  return (spec) => start(setup, spec);
}

function start(setup: SpawnSetup, spec: ChildSpec): ChildProcess {
  const log = setup.logDir === undefined ? undefined : openLog(setup.logDir, spec.service);
  const args = [...spec.nodeFlags, scriptFile(setup.root, spec.script), ...spec.args];
  const child = atPriority(spec.priority, () => {
    return spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", log?.fd ?? "inherit"],
      env: { ...process.env, ...spec.env, SERVOCELL_SUPERVISED: "1" },
      detached: true,
    });
  });
  if (child.pid !== undefined) favourSession(child.pid, spec.priority);
  if (log !== undefined) closeSync(log.fd);
  // The pipe is only there to close; a child that dies first must not end this process.
  child.stdin?.on("error", () => {});
  return {
    pid: child.pid,
    onReady: (listener) => hearWord(child, "ready", listener),
    onStandby: (listener) => hearWord(child, "standing by", listener),
    onExit: (listener) => hearExit(child, log, listener),
    standAside: () => void child.kill("SIGUSR2"),
    terminate: () => void child.kill("SIGTERM"),
    kill: () => void child.kill("SIGKILL"),
  };
}

interface LogFile {
  readonly path: string;
  readonly fd: number;
  /** Where this run of the service begins in the file. */
  readonly from: number;
}

function openLog(dir: string, service: string): LogFile {
  const path = join(dir, `${service}.log`);
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > logBytesMax) renameSync(path, `${path}.1`);
  return { path, fd: openSync(path, "a"), from: bytes > logBytesMax ? 0 : bytes };
}

function hearWord(child: NodeChild, word: string, listener: () => void): void {
  let rest = "";
  let heard = false;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (heard) return;
    const lines = (rest + text).slice(-lastWordsBytes).split("\n");
    rest = lines.pop() ?? "";
    heard = lines.some((line) => line.trim() === word);
    if (heard) listener();
  });
}

function hearExit(
  child: NodeChild,
  log: LogFile | undefined,
  listener: (last: LastWords) => void,
): void {
  let told = false;
  const tell = (how: string) => {
    if (told) return;
    told = true;
    listener((log && lastWords(log)) ?? { text: how });
  };
  child.once("error", (error) => tell(error.message));
  child.once("exit", (code, signal) => {
    tell(signal === null ? `it ended with code ${code}.` : `it was ended by ${signal}.`);
  });
}

/** The newest error line of this run, else its newest line. */
function lastWords(log: LogFile): LastWords | undefined {
  const lines = tail(log)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const words = lines.map(wordsOf);
  const worst = words.findLast((line) => line.level >= 50) ?? words.at(-1);
  return worst?.words;
}

function tail(log: LogFile): string {
  const fd = openSync(log.path, "r");
  try {
    const size = statSync(log.path).size;
    const from = Math.max(log.from, size - lastWordsBytes);
    const bytes = Buffer.alloc(Math.max(0, size - from));
    const count = bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, from);
    return bytes.toString("utf8", 0, count);
  } finally {
    closeSync(fd);
  }
}

/** What the runtime prints of an error that nobody caught, before its places and fields. */
const uncaught = /^(?:[A-Z]\w*)?(?:Error|Exception)\b[^:]*: /;

/** A line of the log is JSON of pino, or whatever the runtime printed when it fell. */
function wordsOf(line: string): { readonly level: number; readonly words: LastWords } {
  try {
    const record = JSON.parse(line) as Partial<Record<"msg" | "error" | "code", string>> & {
      readonly level?: number;
    };
    const code = record.code !== undefined && Object.hasOwn(errors, record.code);
    return {
      level: record.level ?? 0,
      words: {
        text: record.error ?? record.msg ?? line,
        ...(code ? { code: record.code as ErrorCode } : {}),
      },
    };
  } catch {
    return { level: uncaught.test(line) ? 60 : 0, words: { text: line } };
  }
}
