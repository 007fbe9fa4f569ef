/**
 * The files of the cell that chaos plays with, from test/fixtures/chaos with ports and paths.
 *
 * The idea: to the product its devices are real ones at addresses of the links; the simulator is
 * a process of its own behind them and reads the same cell with its own addresses. Short sagas
 * that use different devices, so several runs go on at once. It refuses fixed ports.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CellPorts {
  readonly gantry: number;
  readonly gantryLink: number;
  readonly tool: number;
  readonly toolLink: number;
  readonly embedded: number;
  readonly broker: number;
  readonly brokerLink: number;
  readonly gateway: number;
}
export const brokerKinds = ["embedded", "outside"] as const;
export type BrokerKind = (typeof brokerKinds)[number];

/** Sagas that the operator starts in production. */
export const products = ["gantry", "rail", "part"] as const;
export type Product = (typeof products)[number];

export interface CellFiles {
  readonly cell: { readonly [K in BrokerKind]: string };
  /** What the simulator reads. */
  readonly devices: string;
}

const from = join(import.meta.dirname, "..", "..", "..", "test", "fixtures", "chaos");

export function writeCellFiles(dir: string, ports: CellPorts): CellFiles {
  for (const name of readdirSync(from)) {
    if (name !== "cell.yaml") writeFileSync(join(dir, name), readFileSync(join(from, name)));
  }
  const embedded = `embedded\nbrokerPort: ${ports.embedded}`;
  const common = { gateway: ports.gateway, tty: join(dir, "rail.tty") };
  const real = { ...common, gantry: ports.gantryLink, tool: ports.toolLink, simulation: false };
  return {
    cell: {
      embedded: write(dir, "embedded", { ...real, broker: embedded }),
      outside: write(dir, "outside", { ...real, broker: `mqtt://127.0.0.1:${ports.brokerLink}` }),
    },
    devices: write(dir, "devices", {
      ...{ ...common, gantry: ports.gantry, tool: ports.tool, simulation: true },
      broker: embedded,
    }),
  };
}

type Words = { readonly [word: string]: string | number | boolean };

function write(dir: string, name: string, words: Words): string {
  const text = readFileSync(join(from, "cell.yaml"), "utf8");
  const filled = text.replace(/\$([a-z]+)/g, (_, word: string) => String(words[word]));
  const path = join(dir, `${name}.yaml`);
  writeFileSync(path, filled);
  return path;
}
