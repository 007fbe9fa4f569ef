/**
 * Which gateway a command speaks to: `--gateway`, or the one that a cell file names.
 *
 * The idea: the same two options at every command that needs a running cell. It refuses to guess
 * beyond the usual port of this PC.
 */
import { type Command, Option } from "commander";
import type { CellConfig } from "#kernel/config/cell.js";
import type { Api } from "./client.js";

export interface ApiOptions {
  readonly gateway?: string;
  /** The earlier name of `gateway`. */
  readonly api?: string;
  readonly cell?: string;
}

export interface ClientDeps {
  readonly say: (line: string) => void;
  readonly apiOf: (options: ApiOptions) => Api;
  readonly newId: () => string;
  /** Runs a command to its exit code. */
  readonly ends: <A extends unknown[]>(
    command: (...args: A) => Promise<number> | number,
  ) => (...args: A) => Promise<void>;
}

export function withGateway(command: Command): Command {
  return command
    .option("--gateway <url>", "the gateway, such as http://127.0.0.1:8080")
    .option("--cell <file>", "the cell file that names the gateway")
    .addOption(new Option("--api <url>").hideHelp());
}

/** With the path of the interface, where it was left out. */
export function apiBase(url: string): string {
  const bare = url.replace(/\/+$/, "");
  return /\/api\/v\d+$/.test(bare) ? bare : `${bare}/api/v1`;
}

/** Where the gateway of a cell answers on this PC. */
export function gatewayBase({ host, port }: CellConfig["gateway"]): string {
  return apiBase(`http://${hostOf(host)}:${port}`);
}

/** An address that a client can use for what the gateway listens on. */
export function hostOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

export const collect = (value: string, before: readonly string[]) => [...before, value];
