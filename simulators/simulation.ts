/**
 * All simulated devices of a cell, served over their endpoints.
 *
 * The idea: devices catch up with the monotonic clock whenever they are asked, and every 5 ms
 * while something moves, so that the tap sees a standstill when it happens. The same object is
 * the simulator process' and the tests'. It refuses to listen on anything but loopback unless it
 * is told where.
 */
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readCell, type SimBus, type SimCell, type SimLineBus } from "./cell-file.js";
import { serveControl } from "./control.js";
import { makeSimDevice, type SimDevice, type SimDeviceSetup } from "./device.js";
import { type BusFaultName, type FaultValue, faultName, isBusFault } from "./faults.js";
import { LineServer, type LineView } from "./line-server.js";
import type { SimDeviceView } from "./modbus-device.js";
import { SimProblem } from "./problem.js";
import { recordedCell } from "./recorded-cell.js";
import { recordedDevice } from "./recorded-device.js";
import { SimServer } from "./server.js";
import { fileTap, monotonicMs, noTap, type Tap } from "./tap.js";

export interface SimOptions {
  /** The cell file; its endpoints are used as they stand unless `anyPort`. */
  readonly cellFile?: string;
  /** Or devices by hand: all on one bus called `bus`, or on the one they name, on free ports. */
  readonly devices?: readonly (SimDeviceSetup & { readonly bus?: string })[];
  /** With `devices`: the lines among their buses; the others are Modbus TCP. */
  readonly lines?: Readonly<Record<string, Omit<SimLineBus, "id" | "kind">>>;
  /** Lines do not hear a master that has set another rate; costs a look at the terminal. */
  readonly rateMatters?: boolean;
  /** Where lines without a path of their own are made. @default beside `controlPath` */
  readonly linesDir?: string;
  /** Listen on free ports, whatever the cell file says. @default false */
  readonly anyPort?: boolean;
  /**
   * Where TCP buses listen, whatever host the cell file names; the file's ports stay. An address
   * of this PC. @default the file's host, which has to be loopback
   */
  readonly listenHost?: string;
  /** Or a recorded bus, at one of these places. @default tcp 127.0.0.1, a free port */
  readonly recorded?: { readonly file: string; readonly serial?: string; readonly tcp?: string };
  readonly tapFile?: string;
  /** Path of the control socket. */
  readonly controlPath?: string;
  /** @default "silent" */
  readonly unknownUnit?: "silent" | "exception";
}

export interface Simulation {
  /** Port of each TCP bus. */
  readonly ports: Readonly<Record<string, number>>;
  /** Path of each line's terminal. */
  readonly paths: Readonly<Record<string, string>>;
  /** `device` may be a bus. @throws SimProblem for an unknown device, fault or value. */
  setFault(device: string, fault: string, value?: FaultValue): void;
  /** Clears the faults of one device, or of all. @throws SimProblem */
  clear(device?: string): void;
  state(): Readonly<Record<string, SimDeviceView>>;
  lines(): Readonly<Record<string, LineView>>;
  /** How many masters are connected, and how many lines were asked within the last second. */
  clients(): number;
  close(): Promise<void>;
}

const tickMs = 5;
/** A moving plant tells the tap where it is so often. */
const truthMs = 50;

/** A bus as it is served. */
interface Served {
  readonly bus: SimBus;
  readonly server: SimServer | LineServer;
}

/** Starts serving; resolves when every endpoint listens. @throws SimProblem */
export async function startSim(options: SimOptions): Promise<Simulation> {
  const cell = cellOf(options);
  const { listenHost } = options;
  if (listenHost !== undefined) refuseName(listenHost);
  else for (const bus of cell.buses) if (bus.kind === "tcp") refuseForeign(bus.id, bus.host);
  const tap = options.tapFile === undefined ? noTap : fileTap(options.tapFile);
  const fleet = new Fleet(cell, tap);
  const paths = pathsOf(cell, options);
  const served = cell.buses.map((bus) => ({
    bus,
    server: serverOf(bus, fleet, options, tap, paths),
  }));
  const ports: Record<string, number> = {};
  try {
    for (const { bus, server } of served) {
      if (server instanceof LineServer) await server.open();
      else if (bus.kind === "tcp") {
        const host = listenHost ?? bus.host;
        ports[bus.id] = await server.listen(host, options.anyPort ? 0 : bus.port);
      }
    }
  } catch (cause) {
    await Promise.all(served.map(({ server }) => server.close()));
    tap.close();
    if (cause instanceof SimProblem) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SimProblem(`The simulator cannot listen: ${why}.`, { cause });
  }
  const buses = new BusFaults(served, cell, tap);
  const simulation: Simulation = {
    ports,
    paths,
    setFault: (device, fault, value) => {
      const name = faultName(fault);
      if (isBusFault(name)) buses.set(device, name, value);
      else fleet.setFault(device, fault, value);
    },
    clear: (device) => {
      buses.clear(device);
      if (!buses.has(device)) fleet.clear(device);
    },
    state: () => fleet.state(),
    lines: () => buses.lines(),
    clients: () => buses.clients(),
    close: async () => {
      fleet.rest();
      control?.close();
      await Promise.all(served.map(({ server }) => server.close()));
      tap.close();
    },
  };
  const control = await openControl(options.controlPath, simulation);
  return simulation;
}

function serverOf(
  bus: SimBus,
  fleet: Fleet,
  options: SimOptions,
  tap: Tap,
  paths: Readonly<Record<string, string>>,
): SimServer | LineServer {
  const devices = fleet.onBus(bus.id);
  const touched = () => fleet.wake();
  if (bus.kind === "line") {
    const { id, baud, format, echo } = bus;
    const rateMatters = options.rateMatters === true;
    return new LineServer(
      { bus: id, path: paths[id] ?? "", baud, format, echo, devices, rateMatters },
      tap,
      touched,
    );
  }
  const unknownUnit = options.unknownUnit ?? "silent";
  return new SimServer({ bus: bus.id, devices, unknownUnit, framing: bus.framing }, tap, touched);
}

function pathsOf(cell: SimCell, options: SimOptions): Readonly<Record<string, string>> {
  const { linesDir, controlPath } = options;
  let made: string | undefined;
  const dir = () => {
    if (linesDir !== undefined) return linesDir;
    if (controlPath !== undefined) return dirname(controlPath);
    made ??= mkdtempSync(join(tmpdir(), "servocell-lines-"));
    return made;
  };
  const lines = cell.buses.filter((bus) => bus.kind === "line");
  return Object.fromEntries(
    lines.map((bus) => [bus.id, bus.path ?? join(dir(), `line-${bus.id}.tty`)]),
  );
}

/** Faults and views of whole buses; a device stands for the bus that it is on. */
class BusFaults {
  readonly #served: ReadonlyMap<string, Served["server"]>;
  readonly #busOf: ReadonlyMap<string, string>;
  readonly #tap: Tap;

  constructor(served: readonly Served[], cell: SimCell, tap: Tap) {
    this.#served = new Map(served.map(({ bus, server }) => [bus.id, server]));
    this.#busOf = new Map(cell.devices.map((device) => [device.id, device.bus]));
    this.#tap = tap;
  }

  /** A bus by its own name, and not a device. */
  has(name: string | undefined): boolean {
    return name !== undefined && !this.#busOf.has(name) && this.#served.has(name);
  }

  set(name: string, fault: BusFaultName, value: FaultValue | undefined): void {
    const bus = this.#busOf.get(name) ?? name;
    const server = this.#served.get(bus);
    if (server === undefined) {
      const known = [...this.#served.keys()].join(", ");
      throw new SimProblem(`There is no simulated bus or device ${name}; buses are ${known}.`);
    }
    server.setFault(fault, value);
    const text = value === undefined ? fault : `${fault}:${value}`;
    this.#tap.line({ tMs: monotonicMs(), bus, what: "fault", text });
  }

  clear(name: string | undefined): void {
    for (const [bus, server] of this.#served) {
      if (name === undefined || name === bus || this.#busOf.get(name) === bus) server.clear();
    }
  }

  lines(): Readonly<Record<string, LineView>> {
    const views: Record<string, LineView> = {};
    for (const [bus, server] of this.#served) {
      if (server instanceof LineServer) views[bus] = server.view();
    }
    return views;
  }

  clients(): number {
    return [...this.#served.values()].reduce((sum, server) => sum + server.clients, 0);
  }
}

async function openControl(path: string | undefined, simulation: Simulation) {
  if (path === undefined) return undefined;
  // A socket file left behind by a killed process would keep this one from listening.
  rmSync(path, { force: true });
  return serveControl(path, simulation);
}

function cellOf(options: SimOptions): SimCell {
  if (options.cellFile !== undefined) return readCell(options.cellFile);
  if (options.recorded !== undefined) return recordedCell(options.recorded);
  const devices = (options.devices ?? []).map((device) => ({
    ...device,
    bus: device.bus ?? "bus",
  }));
  const ids = [...new Set(devices.map((device) => device.bus))];
  const buses = ids.map((id): SimBus => {
    const line = options.lines?.[id];
    if (line !== undefined) return { ...line, id, kind: "line" };
    return { id, kind: "tcp", host: "127.0.0.1", port: 0, framing: "mbap" };
  });
  return { devices, buses };
}

const loopback = new net.BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this PC reaches what listens there. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const family = net.isIPv6(host) ? "ipv6" : "ipv4";
  return net.isIP(host) !== 0 && loopback.check(host, family);
}

/** Simulated drives have no place in a network: a real master might find them. */
function refuseForeign(bus: string, host: string): void {
  if (isLoopback(host)) return;
  throw new SimProblem(
    `Bus ${bus} names ${host}; simulated devices listen on loopback only (127.0.0.1, ::1). ` +
      "Where others have to reach them, name an address of this PC: --listen <address>.",
  );
}

/** A name may be looked up as anything; an address says which network is let in. */
function refuseName(host: string): void {
  if (net.isIP(host) !== 0 || host === "localhost") return;
  throw new SimProblem(`${host} is no address; --listen takes one of this PC, as 0.0.0.0.`);
}

class Fleet {
  readonly #cell: SimCell;
  readonly #devices = new Map<string, SimDevice>();
  readonly #tap: Tap;
  #ticker: NodeJS.Timeout | undefined;
  #truthAtMs = Number.NEGATIVE_INFINITY;

  constructor(cell: SimCell, tap: Tap) {
    this.#cell = cell;
    this.#tap = tap;
    const places = new Set<string>();
    for (const entry of cell.devices) {
      const place = `${entry.bus}/${entry.setup.unit}`;
      if (places.has(place)) {
        throw new SimProblem(`${entry.id}: unit ${entry.setup.unit} of bus ${entry.bus} is taken.`);
      }
      places.add(place);
      const device =
        "recorded" in entry
          ? recordedDevice(entry.recorded)
          : makeSimDevice(entry, (event) => tap.motion(event));
      this.#devices.set(entry.id, device);
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
      if (now - this.#truthAtMs >= truthMs) this.#tellTruth(now);
      if (!this.#busy()) this.rest();
    }, tickMs);
  }

  #tellTruth(now: number): void {
    this.#truthAtMs = now;
    for (const device of this.#devices.values()) {
      if (!device.moving) continue;
      const { position, velocity } = device.view();
      this.#tap.truth({ tMs: now, device: device.id, moving: true, position, velocity });
    }
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
