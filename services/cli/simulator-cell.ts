/**
 * The cell file of the simulator, where it is not the cell's own.
 *
 * The idea: the simulator reads cell files itself and knows nothing of run directories; so where
 * a bus of a simulated cell is not where the file says, it is given a file that says where. It
 * refuses to decide where that is (cell-network.ts does).
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { openYaml } from "#drivers/yaml-source.js";
import type { BusLink, CellConfig } from "#kernel/config/cell.js";
import { simulatedLinePath } from "#kernel/run-dir.js";

/** Endpoints move with `--simulated`; a serial line of a simulated cell is always a link of ours. */
export function needsSimulatorCell(config: CellConfig, simulated: boolean): boolean {
  return simulated || config.buses.some(({ link }) => link.kind === "serial");
}

interface Written {
  readonly buses?: object;
  readonly profiles?: string;
}

/**
 * Writes the file and gives its path. `alone`: for a simulator by hand, beside which a cell may
 * be up whose own simulator is started again from its own file.
 */
export function simulatorCell(config: CellConfig, alone = false): string {
  const opened = openYaml(readFileSync(config.file, "utf8"), config.file);
  const value = opened.ok ? (opened.source.value as Written) : {};
  // Beside this file there is no folder of profiles: it says where the cell's own one is.
  const profiles = resolve(dirname(config.file), value.profiles ?? "profiles");
  const { runDir } = config;
  const buses = config.buses.map(({ id, link }) => [id, addressOf(runDir, id, link)] as const);
  const file = join(runDir, alone ? "simulator-cell.yaml" : "simulated-cell.yaml");
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify({ ...value, simulation: true, profiles, buses: Object.fromEntries(buses) }),
  );
  return file;
}

/** A bus as a cell file writes it. */
function addressOf(runDir: string, bus: string, link: BusLink): object {
  switch (link.kind) {
    case "tcp":
      return { tcp: endpointText(link) };
    case "rtuOverTcp":
      return { tcp: endpointText(link), framing: "rtu" };
    case "serial": {
      const { baud, format, echo } = link;
      return { serial: simulatedLinePath(runDir, bus), baud, format, echo };
    }
    default:
      return link satisfies never;
  }
}

function endpointText({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
