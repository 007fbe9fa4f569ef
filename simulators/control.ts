/**
 * The simulator's control socket: faults in, state out, one JSON object a line.
 *
 * The idea: tests and the command line reach a running simulator without a library; every line is
 * answered by one line. Forms: docs/ARCHITECTURE.md, "Simulator socket". It refuses lines that are
 * too long by closing the connection, and says what it did not understand.
 */
import net from "node:net";
import type { FaultValue } from "./faults.js";
import { SimProblem } from "./problem.js";
import type { Simulation } from "./simulation.js";

const lineMost = 65_536;

type Controlled = Pick<Simulation, "setFault" | "clear" | "state" | "lines">;

/** Resolves when the socket listens. */
export function serveControl(path: string, simulation: Controlled): Promise<net.Server> {
  const server = net.createServer((socket) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      if (text.length > lineMost) {
        socket.destroy();
        return;
      }
      for (const line of lines) {
        if (line.trim() !== "") socket.write(`${JSON.stringify(answer(line, simulation))}\n`);
      }
    });
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** What one line is answered. Never throws for what a person wrote. */
export function answer(line: string, simulation: Controlled): object {
  try {
    return carryOut(parse(line), simulation);
  } catch (problem) {
    if (problem instanceof SimProblem) return { kind: "error", text: problem.message };
    throw problem;
  }
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    const message: unknown = JSON.parse(line);
    if (typeof message === "object" && message !== null) return { ...message };
  } catch {
    // Said below.
  }
  throw new SimProblem("The line is not a JSON object.");
}

function carryOut(message: Readonly<Record<string, unknown>>, simulation: Controlled): object {
  const { kind, device, fault, value } = message;
  switch (kind) {
    case "fault":
      simulation.setFault(text(device, "device"), text(fault, "fault"), faultValue(value));
      return { kind: "ok" };
    case "clear":
      simulation.clear(device === undefined ? undefined : text(device, "device"));
      return { kind: "ok" };
    case "unplug":
    case "replug":
      simulation.setFault(text(message.bus, "bus"), kind, faultValue(value));
      return { kind: "ok" };
    case "state":
      return { kind: "state", devices: simulation.state(), lines: simulation.lines() };
    default:
      throw new SimProblem(
        `"${typeof kind === "string" ? kind : typeof kind}" is not known; known are fault, clear, unplug, replug and state.`,
      );
  }
}

function text(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new SimProblem(`"${name}" must be a text.`);
}

function faultValue(value: unknown): FaultValue | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" || typeof value === "number") return value;
  throw new SimProblem('"value" must be a number or a text.');
}
