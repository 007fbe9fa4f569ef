/**
 * A word with the supervisor of a running cell: replace a service by a new process of it.
 *
 * The idea: one connection, one line, one answer; both ends stand here so that they agree. It
 * refuses to know how a service is replaced.
 */
import { connect, type Socket } from "node:net";
import type { CellConfig } from "#kernel/config/cell.js";
import { LineSplitter } from "#kernel/edge/json-lines.js";
import { type Listening, listen } from "#kernel/edge/socket-server.js";
import { codeOf, ServocellError, textOf } from "#kernel/errors.js";
import { supervisorPath } from "#kernel/run-dir.js";
import type { Supervisor } from "../supervisor/app.js";

/** How long axes that are needed may keep their driver, unless the caller says otherwise. */
export const replaceLimitMs = 600_000;
const connectionsMax = 8;

interface Asked {
  readonly kind?: unknown;
  readonly service?: unknown;
  readonly limitMs?: unknown;
}

/**
 * Whoever has this socket has the run directory: its snapshot and everything else in it.
 * @throws STATE_CONFLICT when the cell is up already.
 */
export async function serveSupervisor(
  { cell, runDir }: Pick<CellConfig, "cell" | "runDir">,
  replace: Supervisor["replace"],
): Promise<Listening> {
  try {
    return await listen({
      address: { path: supervisorPath(runDir) },
      connectionsMax,
      onSocket: (socket) => {
        const lines = new LineSplitter((line) => void answer(socket, replace, line));
        socket.on("data", (chunk) => lines.push(chunk));
      },
    });
  } catch (thrown) {
    if (codeOf(thrown) !== "PORT_IN_USE") throw thrown;
    const text = `${cell} is up already (${runDir}); end it first.`;
    throw new ServocellError("STATE_CONFLICT", text, { cell, runDir }, thrown);
  }
}

async function answer(socket: Socket, replace: Supervisor["replace"], line: string): Promise<void> {
  const say = (words: object) => socket.write(`${JSON.stringify(words)}\n`);
  let asked: Asked | null;
  try {
    asked = JSON.parse(line) as Asked | null;
  } catch (thrown) {
    say({ ok: false, text: textOf(thrown) });
    return;
  }
  const { kind, service, limitMs } = asked ?? {};
  if (kind !== "replace" || typeof service !== "string") {
    say({ ok: false, text: 'the supervisor takes {"kind":"replace","service":…}' });
    return;
  }
  const within = typeof limitMs === "number" && limitMs > 0 ? limitMs : replaceLimitMs;
  const problem = await replace(service, Math.min(within, replaceLimitMs));
  say(problem === undefined ? { ok: true } : { ok: false, text: problem });
}

/** @throws NOT_READY when no cell runs there, STATE_CONFLICT with the reason of a refusal. */
export function replaceService(runDir: string, service: string, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(supervisorPath(runDir));
    const fail = (code: "NOT_READY" | "STATE_CONFLICT", text: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ServocellError(code, text, { service }));
    };
    // The supervisor keeps the limit itself; this one is for a supervisor that hangs.
    const timer = setTimeout(
      () => fail("NOT_READY", "The supervisor does not answer."),
      limitMs + 60_000,
    );
    socket.on("error", () => fail("NOT_READY", "This cell is not up here: no supervisor answers."));
    socket.on("close", () => fail("NOT_READY", "The supervisor closed the connection."));
    const lines = new LineSplitter((line) => {
      const { ok, text } = JSON.parse(line) as { readonly ok: boolean; readonly text?: string };
      if (!ok) {
        fail("STATE_CONFLICT", `${service} was not replaced: ${text ?? line}.`);
        return;
      }
      clearTimeout(timer);
      socket.destroy();
      resolve();
    });
    socket.on("data", (chunk) => lines.push(chunk));
    socket.write(`${JSON.stringify({ kind: "replace", service, limitMs })}\n`);
  });
}
