/**
 * A word with the simulator: sets a fault, over its local socket.
 *
 * The idea: one connection, one line, one answer, bounded. It refuses to know the faults; the
 * simulator answers what it does not know.
 */
import { connect } from "node:net";
import { ServocellError } from "#kernel/errors.js";

const answerLimitMs = 1_000;

export interface SimFault {
  readonly device: string;
  readonly fault: string;
  readonly value?: number | string;
}

/** @throws ServocellError with the simulator's own words when it refuses, or is not there. */
export function setFault(socketPath: string, fault: SimFault): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const end = (problem?: string) => {
      clearTimeout(timer);
      socket.destroy();
      if (problem === undefined) resolve();
      else reject(new ServocellError("VALIDATION_FAILED", problem, { device: fault.device }));
    };
    const timer = setTimeout(() => end("The simulator does not answer."), answerLimitMs);
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => end("The simulator of this cell cannot be reached."));
    socket.on("close", () => end("The simulator closed the connection."));
    socket.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      end(refusal(text.slice(0, text.indexOf("\n"))));
    });
    socket.write(`${JSON.stringify({ kind: "fault", ...fault })}\n`);
  });
}

function refusal(line: string): string | undefined {
  try {
    const answer = JSON.parse(line) as { kind?: string; text?: string; error?: string };
    const words = answer.text ?? answer.error;
    if (answer.kind === "error" || answer.kind === "refused") return words ?? line;
    return undefined;
  } catch {
    return `The simulator answered ${line}`;
  }
}
