/**
 * All simulated devices of a cell, served over their endpoints.
 *
 * The idea: devices catch up with the monotonic clock whenever they are asked, and every 5 ms
 * while something moves, so that the tap sees a standstill when it happens. The same object is
 * the simulator process' and the tests'. It refuses to listen on anything but loopback.
 */
import { rmSync } from "node:fs";
import net from "node:net";
import { readCell, type SimCell } from "./cell-file.js";
import { serveControl } from "./control.js";
import { makeSimDevice, type SimDevice, type SimDeviceSetup } from "./device.js";
import { type FaultValue, faultName } from "./faults.js";
import type { SimDeviceView } from "./modbus-device.js";
import { SimProblem } from "./problem.js";
import { SimServer } from "./server.js";
import { fileTap, monotonicMs, noTap, type Tap } from "./tap.js";

export interface SimOptions {
  /** The cell file; its endpoints are used as they stand unless `anyPort`. */
  readonly cellFile?: string;
  /** Or devices by hand: all on one bus called `bus`, or on the one they name, on free ports. */
  readonly devices?: readonly (SimDeviceSetup & { readonly bus?: string })[];
  /** Listen on free ports, whatever the cell file says. @default false */
  readonly anyPort?: boolean;
  readonly tapFile?: string;
  /** Path of the control socket. */
  readonly controlPath?: string;
  /** @default "silent" */
  readonly unknownUnit?: "silent" | "exception";
}

export interface Simulation {
  /** Port of each bus. */
  readonly ports: Readonly<Record<string, number>>;
  /** @throws SimProblem for an unknown device, fault or value. */
  setFault(device: string, fault: string, value?: FaultValue): void;
  /** Clears the faults of one device, or of all. @throws SimProblem */
  clear(device?: string): void;
  state(): Readonly<Record<string, SimDeviceView>>;
  /** How many masters are connected to its endpoints. */
  clients(): number;
  close(): Promise<void>;
}

const tickMs = 5;

/** Starts serving; resolves when every endpoint listens. @throws SimProblem */
export async function startSim(options: SimOptions): Promise<Simulation> {
  const cell = cellOf(options);
  for (const bus of cell.buses) refuseForeign(bus.id, bus.host);
  const tap = options.tapFile === undefined ? noTap : fileTap(options.tapFile);
  const fleet = new Fleet(cell, tap);
  const unknownUnit = options.unknownUnit ?? "silent";
  const servers = cell.buses.map((bus) => {
    const endpoint = { bus: bus.id, devices: fleet.onBus(bus.id), unknownUnit };
    return new SimServer(endpoint, tap, () => fleet.wake());
  });
  const ports: Record<string, number> = {};
  try {
    for (const [i, bus] of cell.buses.entries()) {
      const port = options.anyPort ? 0 : bus.port;
      ports[bus.id] = (await servers[i]?.listen(bus.host, port)) ?? port;
    }
  } catch (cause) {
    await Promise.all(servers.map((server) => server.close()));
    tap.close();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SimProblem(`The simulator cannot listen: ${why}.`, { cause });
  }
  const simulation: Simulation = {
    ports,
    setFault: (device, fault, value) => fleet.setFault(device, fault, value),
    clear: (device) => fleet.clear(device),
    state: () => fleet.state(),
    clients: () => servers.reduce((sum, server) => sum + server.clients, 0),
    close: async () => {
      fleet.rest();
      control?.close();
      await Promise.all(servers.map((server) => server.close()));
      tap.close();
    },
  };
  const control = await openControl(options.controlPath, simulation);
  return simulation;
}

async function openControl(path: string | undefined, simulation: Simulation) {
  if (path === undefined) return undefined;
  // A socket file left behind by a killed process would keep this one from listening.
  rmSync(path, { force: true });
  return serveControl(path, simulation);
}

function cellOf(options: SimOptions): SimCell {
  if (options.cellFile !== undefined) return readCell(options.cellFile);
  const devices = (options.devices ?? []).map((device) => ({
    ...device,
    bus: device.bus ?? "bus",
  }));
  const ids = [...new Set(devices.map((device) => device.bus))];
  return { devices, buses: ids.map((id) => ({ id, host: "127.0.0.1", port: 0 })) };
}

const loopback = new net.BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Simulated drives have no place in a network: a real master might find them. */
function refuseForeign(bus: string, host: string): void {
  if (host === "localhost") return;
  const family = net.isIPv6(host) ? "ipv6" : "ipv4";
  if (net.isIP(host) !== 0 && loopback.check(host, family)) return;
  throw new SimProblem(
    `Bus ${bus} names ${host}; simulated devices listen on loopback only (127.0.0.1, ::1).`,
  );
}

class Fleet {
  readonly #cell: SimCell;
  readonly #devices = new Map<string, SimDevice>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(cell: SimCell, tap: Tap) {
    this.#cell = cell;
    const places = new Set<string>();
    for (const entry of cell.devices) {
      const place = `${entry.bus}/${entry.setup.unit}`;
      if (places.has(place)) {
        throw new SimProblem(`${entry.id}: unit ${entry.setup.unit} of bus ${entry.bus} is taken.`);
      }
      places.add(place);
      this.#devices.set(
        entry.id,
        makeSimDevice(entry, (event) => tap.motion(event)),
      );
    }
  }

  onBus(bus: string): readonly SimDevice[] {
    return this.#cell.devices
      .filter((entry) => entry.bus === bus)
      .map((entry) => this.#device(entry.id));
  }

  setFault(device: string, fault: string, value?: FaultValue): void {
    this.#device(device).setFault(faultName(fault), value, monotonicMs());
    this.wake();
  }

  clear(device?: string): void {
    const all = device === undefined ? [...this.#devices.values()] : [this.#device(device)];
    for (const one of all) {
      one.advance(monotonicMs());
      one.clearFaults();
    }
    this.wake();
  }

  state(): Readonly<Record<string, SimDeviceView>> {
    const now = monotonicMs();
    const views: Record<string, SimDeviceView> = {};
    for (const [id, device] of this.#devices) {
      device.advance(now);
      views[id] = device.view();
    }
    return views;
  }

  /** Ticks while something moves. */
  wake(): void {
    if (this.#ticker !== undefined || !this.#busy()) return;
    this.#ticker = setInterval(() => {
      const now = monotonicMs();
      for (const device of this.#devices.values()) device.advance(now);
      if (!this.#busy()) this.rest();
    }, tickMs);
  }

  rest(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #busy(): boolean {
    for (const device of this.#devices.values()) if (device.busy) return true;
    return false;
  }

  #device(id: string): SimDevice {
    const device = this.#devices.get(id);
    if (device !== undefined) return device;
    const known = [...this.#devices.keys()].join(", ");
    throw new SimProblem(`There is no simulated device ${id}; there are ${known}.`);
  }
}
