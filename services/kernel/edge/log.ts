/**
 * The log of a process: JSON lines on standard error, through pino.
 *
 * The idea: writing never holds the loop that moves axes; lines wait in a bounded buffer and
 * are dropped when nobody reads. It refuses to decide what is worth a line.
 */
import { destination, pino } from "pino";
import type { Log } from "../ports.js";

/** Bytes that may wait for a slow reader; lines beyond are dropped. */
const bufferBytesMax = 1_048_576;

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface ProcessLog extends Log {
  /** Writes what waits; before the process exits. */
  flush(): void;
}

export function openLog(options: {
  readonly service: string;
  readonly level: LogLevel;
}): ProcessLog {
  const out = destination({ dest: 2, sync: false, maxLength: bufferBytesMax });
  out.on("error", () => undefined);
  const log = pino(
    { level: options.level, base: { service: options.service, pid: process.pid } },
    out,
  );
  return {
    debug: (fields, text) => log.debug(fields, text),
    info: (fields, text) => log.info(fields, text),
    warn: (fields, text) => log.warn(fields, text),
    error: (fields, text) => log.error(fields, text),
    flush: () => {
      try {
        out.flushSync();
      } catch {
        // Nobody reads any more; there is nothing left to write to.
      }
    },
  };
}
