/**
 * Which running cell of this PC has a wire, whatever it was started from.
 *
 * The idea: a cell's run directory depends on where and with which --data it was started, so all
 * of them are looked through; the snapshot there and what each bus service has said name the
 * wires, the sockets tell whether it runs. In doubt a cell runs: a second master would drive its
 * devices past stop, latch and lease. It refuses to open a wire.
 */
import { lookup } from "node:dns/promises";
import { readdirSync, realpathSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BusLink } from "#kernel/config/cell.js";
import { readSnapshot, snapshotPath } from "#kernel/config/cell-snapshot.js";
import { type BusOwner, ownedBuses, readBusOwner } from "#kernel/edge/bus-owner.js";
import { packageVersion } from "#kernel/edge/process.js";
import { ServocellError } from "#kernel/errors.js";
import { lanePath, supervisorPath } from "#kernel/run-dir.js";

/** How long a local socket may take to say that somebody lives behind it. */
const localMsMax = 500;

export interface WriteTarget {
  /** For people. */
  readonly name: string;
  readonly link: BusLink;
  /** Where the cell file's own services would be, and the bus of theirs that has the device. */
  readonly own?: { readonly runDir: string; readonly bus: string };
}

/** @throws STATE_CONFLICT where a running cell has the wire, or one whose wires nobody can read. */
export async function refuseWhereRunning({ name, link, own }: WriteTarget): Promise<void> {
  if (own !== undefined && (await someLives(own.runDir, own.bus))) {
    throw conflict("The cell", name);
  }
  const named = [own?.runDir, process.env.SERVOCELL_RUN_DIR].filter((dir) => dir !== undefined);
  for (const dir of new Set([...named, ...runDirsHere()])) {
    await refuseBySnapshot(dir, { name, link });
    await refuseByOwner(dir, { name, link });
  }
}

/** Also while the bus service is between two starts. */
async function refuseBySnapshot(dir: string, { name, link }: WriteTarget): Promise<void> {
  const config = readSnapshot(snapshotPath(dir), packageVersion());
  if (config === undefined) {
    if (await mayLive(supervisorPath(dir))) throw unreadable(dir, name);
    return;
  }
  for (const bus of config.buses) {
    if (!(await sameWire(bus.link, link)) || !(await someLives(dir, bus.id))) continue;
    throw conflict(`The cell ${config.cell}`, name);
  }
}

/** Services that were started one by one leave no snapshot, or have another cell file than it. */
async function refuseByOwner(dir: string, { name, link }: WriteTarget): Promise<void> {
  for (const bus of ownedBuses(dir)) {
    if (!(await mayLive(lanePath(dir, bus, "poll")))) continue;
    const owner = readBusOwner(dir, bus);
    if (owner === undefined) throw unreadable(dir, name);
    if (await sameWire(owner.link, link)) throw conflict(`The cell in ${dir}`, name);
  }
}

function conflict(cell: string, name: string): ServocellError {
  const way = "bring the cell down, or use its operations";
  const text = `${cell} is running and its driver has ${name}: ${way}.`;
  return new ServocellError("STATE_CONFLICT", text);
}

/** Of another user, or of another version. */
function unreadable(dir: string, name: string): ServocellError {
  const why = `a cell seems to run in ${dir}, and whether it has ${name} cannot be read`;
  const way = "bring it down, write as its user, or remove what an ended one has left";
  return new ServocellError("STATE_CONFLICT", `Nothing was sent: ${why}; ${way}.`);
}

/** Of every user: the person at the cabinet is seldom the one that the cell runs as. */
function runDirsHere(): readonly string[] {
  return readdirSync(tmpdir())
    .filter((name) => /^servocell-\d+-/.test(name))
    .map((name) => join(tmpdir(), name))
    .filter((dir) => statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** The bus service may be between two starts: then the supervisor answers for it. */
async function someLives(runDir: string, bus: string): Promise<boolean> {
  const lives = [supervisorPath(runDir), lanePath(runDir, bus, "poll")].map(mayLive);
  return (await Promise.all(lives)).includes(true);
}

/** False only where surely nobody accepts on the socket: no file, or one that a dead one left. */
function mayLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(localMsMax, () => end(true));
    socket.on("connect", () => end(true));
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      end(code !== "ENOENT" && code !== "ECONNREFUSED");
    });
  });
}

/** What tells one wire from another. */
type WireName = BusOwner["link"];

async function sameWire(one: WireName, other: WireName): Promise<boolean> {
  if (one.kind === "serial" || other.kind === "serial") {
    const serial = one.kind === "serial" && other.kind === "serial";
    return serial && realOf(one.path) === realOf(other.path);
  }
  // Framing is no matter: one endpoint is one device or bridge.
  if (one.port !== other.port) return false;
  if (one.host === other.host) return true;
  const [ours, theirs] = await Promise.all([addressesOf(one.host), addressesOf(other.host)]);
  return ours.some((address) => theirs.includes(address));
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [host.toLowerCase()];
  }
}
