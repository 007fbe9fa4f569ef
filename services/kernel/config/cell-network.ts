/**
 * Broker, gateway and the ports of a cell.
 *
 * The idea: what moves axes stays on the cell's PC or says that it does not (PROTOCOL 19), and
 * every port of this PC has one owner. It refuses to look anything up.
 */
import { simulatedLinePath } from "../run-dir.js";
import type { BusConfig, CellConfig } from "./cell.js";
import { brokerHost, parseEndpoint, staysOnThisPc } from "./endpoints.js";
import type { Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";

const loopback = "127.0.0.1";
const brokerPortDefault = 18_830;
const gatewayPortDefault = 8_080;
/** Simulated endpoints of a cell whose file names real ones: 15020, 15021, … */
const simulatedPortFirst = 15_020;

export function brokerOf(read: FileReader): CellConfig["broker"] {
  const written = read.text(["broker"]) ?? "embedded";
  const port = read.whole(["brokerPort"]) ?? brokerPortDefault;
  const embedded = { kind: "embedded", host: loopback, port } as const;
  if (written === "embedded") return embedded;
  const host = brokerHost(written);
  if (host === undefined) {
    read.problems.at(["broker"], "a broker is embedded, or a URL without user and password", {
      suggestion: "broker: mqtt://127.0.0.1:1883",
    });
    return embedded;
  }
  if (read.raw(["brokerPort"]) !== undefined) {
    read.problems.at(["brokerPort"], "brokerPort is the embedded broker's; put it in the URL");
  }
  if (!staysOnThisPc(host) && read.raw(["controlOverPlantNetwork"]) !== "accepted") {
    const text = `${host} is not this PC: stops and leases would depend on the plant network`;
    read.problems.at(["broker"], text, { suggestion: "controlOverPlantNetwork: accepted" });
  }
  return { kind: "external", url: written };
}

export function gatewayOf(read: FileReader): CellConfig["gateway"] {
  return {
    host: read.text(["gateway", "host"]) ?? loopback,
    port: read.whole(["gateway", "port"]) ?? gatewayPortDefault,
  };
}

/** Endpoints that are elsewhere, moved to this PC; those that are here already stay. */
export function simulatedBuses(buses: readonly BusConfig[]): readonly BusConfig[] {
  return buses.map((bus, i) => {
    const { link } = bus;
    if (link.kind === "serial" || staysOnThisPc(link.host)) return bus;
    return { ...bus, link: { ...link, host: loopback, port: simulatedPortFirst + i } };
  });
}

/** Serial lines are where the simulator makes them, whatever port the file names. */
export function simulatedLines(buses: readonly BusConfig[], runDir: string): readonly BusConfig[] {
  return buses.map((bus) => {
    if (bus.link.kind !== "serial") return bus;
    return { ...bus, link: { ...bus.link, path: simulatedLinePath(runDir, bus.id) } };
  });
}

export function checkPorts(
  read: FileReader,
  cell: {
    readonly buses: readonly BusConfig[];
    readonly broker: CellConfig["broker"];
    readonly gateway: CellConfig["gateway"];
    readonly simulation: boolean;
  },
): void {
  const owners = new Map<number, string>();
  const take = (port: number, owner: string, path: Path) => {
    const other = owners.get(port);
    if (other === undefined) owners.set(port, owner);
    else read.problems.at(path, `port ${port} is ${other}'s already`);
  };
  if (cell.broker.kind === "embedded") take(cell.broker.port, "the broker", ["brokerPort"]);
  take(cell.gateway.port, "the gateway", ["gateway", "port"]);
  for (const bus of cell.buses) {
    const path = ["buses", bus.id];
    if (bus.pollPort !== undefined) {
      take(bus.pollPort, `the poll lane of ${bus.id}`, [...path, "pollPort"]);
    }
    const { link } = bus;
    if (!cell.simulation || link.kind === "serial") continue;
    take(link.port, `the simulated bus ${bus.id}`, [...path, "tcp"]);
    const written = parseEndpoint(read.text([...path, "tcp"]) ?? "");
    if (written === undefined || staysOnThisPc(link.host)) continue;
    const text = `simulated devices are served on this PC, not on ${link.host}`;
    read.problems.at([...path, "tcp"], text, { suggestion: `tcp: 127.0.0.1:${link.port}` });
  }
}
