/**
 * Zones: axes that share a place are stopped together when one of them fails.
 *
 * The idea: the run of the failing axis stops its own axes anyway; what is left of the zone belongs
 * to other runs or to none. Those runs fail, and their stop leaves in this very turn; axes of no
 * run get one of their own. Nothing of it is latched: it is the coordinator's stop, not a person's.
 * It refuses to wait for a saga.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { Boot, Log, NewId } from "#kernel/ports.js";
import type { EventOutbox } from "./event-outbox.js";
import type { RunDesk } from "./run-desk.js";
import { axesOf } from "./run-steps.js";
import type { StopDesk } from "./stop-desk.js";

/** Ends of a lease that are no failure of the axis. */
const orderly: ReadonlySet<string> = new Set([
  "stop",
  "quickStop",
  "abort",
  "run-stop",
  "released",
  "superseded",
  "holder-offline",
  "lapsed",
  "shutdown",
]);

export interface ZoneParts {
  readonly config: CellConfig;
  readonly boot: Boot;
  readonly log: Log;
  readonly newId: NewId;
  readonly outbox: EventOutbox;
  readonly stops: StopDesk;
  readonly runs: () => RunDesk;
}

export class ZoneDesk {
  readonly #parts: ZoneParts;
  readonly #faulted = new Set<string>();

  constructor(parts: ZoneParts) {
    this.#parts = parts;
  }

  /** Its lease has ended, for this reason. */
  leaseEnded(device: string, reason: string): void {
    if (!orderly.has(reason)) this.failed(device, reason);
  }

  /** What its driver says of it: only the change to a fault counts. */
  seen(device: string, fault: boolean): void {
    const before = this.#faulted.has(device);
    if (!fault) this.#faulted.delete(device);
    else if (!before) {
      this.#faulted.add(device);
      this.failed(device, "it reports a fault");
    }
  }

  /** The axis has failed: everything else in its zones is stopped now. */
  failed(device: string, text: string): void {
    const { config, log, newId, boot, outbox, stops, runs } = this.#parts;
    const zones = (config.zones ?? []).filter((zone) => zone.devices.includes(device));
    const axes = new Set(zones.flatMap((zone) => zone.devices));
    axes.delete(device);
    if (axes.size === 0) return;
    const names = zones.map(({ name }) => name).join(", ");
    const reason = `${device} of the zone ${names} has failed: ${text}`;
    const inZone = runs().active.filter((run) => axesOf(run).some((axis) => axes.has(axis)));
    for (const run of inZone) {
      const { at } = run.phase;
      if (axesOf(run).includes(device)) {
        // The end of its lease says the same a moment later; its other axes do not wait for that.
        if (at === "running") runs().feed(run.run, { kind: "leaseLost", device, text });
        continue;
      }
      // A run on its way to the safe state is stopped.
      const shielded = at === "makingSafe" || at === "unlatching";
      const code = "LEASE_LOST" as const;
      const axis = axesOf(run).find((one) => axes.has(one)) ?? device;
      if (shielded) runs().feed(run.run, { kind: "tripped", device: axis, code, text: reason });
      else runs().feed(run.run, { kind: "failed", code, text: reason });
    }
    const owned = new Set(inZone.flatMap((run) => axesOf(run)));
    const free = [...axes].filter((axis) => !owned.has(axis)).sort();
    const by = { user: boot.service, role: "service" };
    if (free.length > 0) stops.order({ id: newId(), how: "stop", axes: free, reason, by });
    log.warn({ mark: "zone.stopped", zones: names, device, axes: [...axes] }, reason);
    const data = { zone: names, device, text, axes: [...axes].sort() };
    outbox.emit("cell", config.cell, "zone.stopped", data);
  }
}
