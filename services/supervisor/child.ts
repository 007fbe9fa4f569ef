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
import { type ErrorCode, errors, textOf } from "#kernel/errors.js";
import type { ChildProcess, LastWords, Spawn } from "./app.js";
import type { ChildSpec } from "./plan.js";
import { atPriority, favourSession } from "./priority.js";
import { scriptFile } from "./script-file.js";

export interface SpawnSetup {
  /** The root of the package, where `dist/` is. */
  readonly root: string;
  /** Folder of the log files; absent: the children write to this terminal. */
  readonly logDir?: string;
  /** Told once when a log cannot be written; its child writes to this terminal then. */
  readonly warn?: (text: string) => void;
}

/** A log longer than this is put aside when its service starts (one earlier file is kept). */
const logBytesMax = 5_000_000;
const lastWordsBytes = 8_192;

export function childSpawner(setup: SpawnSetup): Spawn {
  let warned = false;
  const warn = (text: string) => {
    if (!warned) setup.warn?.(text);
    warned = true;
  };
  return (spec) => start({ ...setup, warn }, spec);
}

function start(setup: Required<Pick<SpawnSetup, "warn">> & SpawnSetup, spec: ChildSpec) {
  const { root, logDir, warn } = setup;
  const log = logDir === undefined ? undefined : openLog(logDir, spec.service, warn);
  try {
    return childOf(startProcess(root, spec, log), log);
  } finally {
    if (log !== undefined) closeSync(log.fd);
  }
}

function startProcess(root: string, spec: ChildSpec, log: LogFile | undefined): NodeChild {
  const args = [...spec.nodeFlags, scriptFile(root, spec.script), ...spec.args];
  const child = atPriority(spec.priority, () => {
    return spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", log?.fd ?? "inherit"],
      env: { ...process.env, ...spec.env, SERVOCELL_SUPERVISED: "1" },
      detached: true,
    });
  });
  if (child.pid !== undefined) favourSession(child.pid, spec.priority);
  return child;
}

function childOf(child: NodeChild, log: LogFile | undefined): ChildProcess {
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

/** A service without a log is better than none: undefined where it cannot be written. */
function openLog(dir: string, service: string, warn: (text: string) => void): LogFile | undefined {
  const path = join(dir, `${service}.log`);
  try {
    // Somebody who makes room on the disk may have taken the folder away.
    mkdirSync(dir, { recursive: true });
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes > logBytesMax) renameSync(path, `${path}.1`);
    return { path, fd: openSync(path, "a"), from: bytes > logBytesMax ? 0 : bytes };
  } catch (thrown) {
    warn(`The log ${path} cannot be written (${textOf(thrown)}): ${service} writes it here.`);
    return undefined;
  }
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

/** The newest error line of this run, else its newest line; nothing where the log is gone. */
function lastWords(log: LogFile): LastWords | undefined {
  let text: string;
  try {
    text = tail(log);
  } catch {
    // Somebody has taken it away; that the child has ended counts, and not what it said.
    return undefined;
  }
  const lines = text
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
