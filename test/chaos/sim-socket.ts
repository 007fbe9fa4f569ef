/**
 * The control socket of the simulator, by its path: one JSON object a line, one line back.
 *
 * The idea: faults and truths are asked for while a cell runs. It refuses to wait longer than 2 s.
 */
import net from "node:net";

export interface SimState {
  readonly devices: {
    readonly [id: string]: {
      readonly moving: boolean;
      readonly position: number;
      readonly velocity: number;
      readonly state: string;
      readonly faults: object;
    };
  };
  readonly lines: { readonly [id: string]: { readonly plugged: boolean } };
}

export function askSim(path: string, message: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("the simulator did not answer"));
    }, 2000);
    let text = "";
    socket.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on("data", (data) => {
      text += data.toString();
      if (!text.includes("\n")) return;
      clearTimeout(timer);
      socket.end();
      resolve(JSON.parse(text.split("\n")[0] ?? "null"));
    });
    socket.write(`${JSON.stringify(message)}\n`);
  });
}

export async function simState(path: string): Promise<SimState> {
  return (await askSim(path, { kind: "state" })) as SimState;
}
