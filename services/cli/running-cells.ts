/**
 * Which running cell of this PC has a wire, whatever it was started from.
 *
 * The idea: a cell's run directory depends on where and with which --data it was started, so all
 * of them are looked through; the snapshot there and what each bus service has said name the
 * wires, the sockets tell whether it runs. In doubt a cell runs: a second master would drive its
 * devices past stop, latch and lease, and its questions would stand before a stop. It refuses to
 * open a wire.
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

export interface WantedWire {
  /** For people. */
  readonly name: string;
  readonly link: BusLink;
  /** Where the cell file's own services would be, and the bus of theirs that has the device. */
  readonly own?: { readonly runDir: string; readonly bus: string };
}

/** A bus service of this PC that has the wire. */
export interface RunningBus {
  /** For people. */
  readonly cell: string;
  readonly dir: string;
  readonly bus: string;
  /** `unknown`: a socket of it is there, and nobody can tell whether somebody accepts on it. */
  readonly lives: "yes" | "unknown";
}

/**
 * The running cell that has the wire, if any.
 * @throws STATE_CONFLICT where a cell seems to run whose wires nobody can read.
 */
export async function runningBus({ name, link, own }: WantedWire): Promise<RunningBus | undefined> {
  if (own !== undefined) {
    const living = await busLives(own.runDir, own.bus);
    if (living !== "no") {
      return { cell: "The cell", dir: own.runDir, bus: own.bus, lives: living };
    }
  }
  const named = [own?.runDir, process.env.SERVOCELL_RUN_DIR].filter((dir) => dir !== undefined);
  let unread: string | undefined;
  for (const dir of new Set([...named, ...runDirsHere()])) {
    for (const look of [bySnapshot, byOwner]) {
      const found = await look(dir, link);
      if (found === "unread") unread ??= dir;
      else if (found !== undefined) return found;
    }
  }
  if (unread !== undefined) throw unreadable(unread, name);
  return undefined;
}

type Found = RunningBus | "unread" | undefined;

/** Also while the bus service is between two starts. */
async function bySnapshot(dir: string, link: BusLink): Promise<Found> {
  const config = readSnapshot(snapshotPath(dir), packageVersion());
  if (config === undefined) {
    return (await lives(supervisorPath(dir))) === "no" ? undefined : "unread";
  }
  for (const { id, link: theirs } of config.buses) {
    if (!(await sameWire(theirs, link))) continue;
    const living = await busLives(dir, id);
    if (living === "no") continue;
    return { cell: `The cell ${config.cell}`, dir, bus: id, lives: living };
  }
  return undefined;
}

/** Services that were started one by one leave no snapshot, or have another cell file than it. */
async function byOwner(dir: string, link: BusLink): Promise<Found> {
  let unread = false;
  for (const bus of ownedBuses(dir)) {
    const living = await lives(lanePath(dir, bus, "poll"));
    if (living === "no") continue;
    const owner = readBusOwner(dir, bus);
    if (owner === undefined) unread = true;
    else if (await sameWire(owner.link, link)) {
      return { cell: `The cell in ${dir}`, dir, bus, lives: living };
    }
  }
  return unread ? "unread" : undefined;
}

/** @throws STATE_CONFLICT where a running cell has the wire, or one whose wires nobody can read. */
export async function refuseWhereRunning(wanted: WantedWire): Promise<void> {
  const running = await runningBus(wanted);
  if (running === undefined) return;
  const way = "bring the cell down, or use its operations";
  const text = `${running.cell} is running and has ${wanted.name}: ${way}.`;
  throw new ServocellError("STATE_CONFLICT", text);
}

/** Of another user, or of another version. */
function unreadable(dir: string, name: string): ServocellError {
  const why = `a cell seems to run in ${dir}, and whether it has ${name} cannot be read`;
  const way = "bring it down, do this as its user, or remove what an ended one has left";
  return new ServocellError("STATE_CONFLICT", `Nothing was sent: ${why}; ${way}.`);
}

/**
 * Run directories on this PC, of every user unless one is named: the person at the cabinet is
 * seldom the one that the cell runs as.
 */
export function runDirsHere(uid?: number): readonly string[] {
  const ours = new RegExp(`^servocell-${uid ?? "\\d+"}-`);
  return readdirSync(tmpdir())
    .filter((name) => ours.test(name))
    .map((name) => join(tmpdir(), name))
    .filter((dir) => {
      const found = statSync(dir, { throwIfNoEntry: false });
      // The name is anybody's to choose.
      return found?.isDirectory() === true && (uid === undefined || found.uid === uid);
    });
}

/** The bus service may be between two starts: then the supervisor answers for it. */
function busLives(runDir: string, bus: string): Promise<Living> {
  return someLives([supervisorPath(runDir), lanePath(runDir, bus, "poll")]);
}

/** Whether somebody accepts on a local socket; `no` only where surely nobody does. */
export type Living = "yes" | "no" | "unknown";

export async function someLives(paths: readonly string[]): Promise<Living> {
  const each = await Promise.all(paths.map(lives));
  if (each.includes("yes")) return "yes";
  return each.includes("unknown") ? "unknown" : "no";
}

/** `no`: there is no file, or one that a dead process has left. */
export function lives(path: string): Promise<Living> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (living: Living) => {
      socket.destroy();
      resolve(living);
    };
    // Where this process stood still, what has come meanwhile counts first.
    socket.setTimeout(localMsMax, () => setImmediate(end, "unknown"));
    socket.on("connect", () => end("yes"));
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      end(code === "ENOENT" || code === "ECONNREFUSED" ? "no" : "unknown");
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
