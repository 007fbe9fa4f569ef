/**
 * Which process serves a bus, and over which wire: a file beside the sockets of the bus.
 *
 * The idea: the run directory is found by whoever is about to open a wire, however the service
 * was started and whatever the cell file says by now; what the bus service itself wrote when it
 * had the sockets is the truth. It refuses to say whether that process lives: the sockets do.
 */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import * as z from "zod";
import type { BusConfig } from "../config/cell.js";
import { readRegularFileSync } from "../config/regular-file.js";
import { busOwnerPath } from "../run-dir.js";

const endpoint = { host: z.string(), port: z.number() };
const ownerSchema = z.object({
  pid: z.number(),
  link: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("tcp"), ...endpoint }),
    z.object({ kind: z.literal("rtuOverTcp"), ...endpoint }),
    z.object({ kind: z.literal("serial"), path: z.string() }),
  ]),
});
export type BusOwner = z.infer<typeof ownerSchema>;

export function writeBusOwner(runDir: string, { id, link }: BusConfig): void {
  const text = JSON.stringify({ pid: process.pid, link });
  writeFileSync(busOwnerPath(runDir, id), `${text}\n`, { mode: 0o600 });
}

/** Undefined: nobody has said so, or in words of another version. */
export function readBusOwner(runDir: string, bus: string): BusOwner | undefined {
  try {
    const text = readRegularFileSync(busOwnerPath(runDir, bus));
    const read = ownerSchema.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

/** The next owner may have written its own already. */
export function removeBusOwner(runDir: string, bus: string): void {
  if (readBusOwner(runDir, bus)?.pid !== process.pid) return;
  rmSync(busOwnerPath(runDir, bus), { force: true });
}

/** Buses that somebody has served from this directory, and perhaps still does. */
export function ownedBuses(runDir: string): readonly string[] {
  try {
    return readdirSync(runDir).flatMap((name) => /^bus-(.+)\.json$/.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}
