/**
 * Leases that have ended without a word of it, of runs and of presses.
 *
 * The idea: the event that says why a lease has ended may be lost with a connection, but the
 * driver goes on saying whose lease it is. What it says comes after its grant, on the same
 * connection, so another epoch than the one counted on is its end; the event is waited for a
 * moment, because it says why. It refuses to guess the reason: without one a person decides.
 */
import type { Ms } from "#drivers/reading.js";
import type { StateAxis } from "#kernel/contract/payloads.js";
import type { RunDesk } from "./run-desk.js";
import { epochOf } from "./run-state.js";

/** An event is stored before it is told; longer than that it is not waited for. */
export const reasonMsMax: Ms = 1000;

type Lease = StateAxis["lease"];

/** A lease that somebody here counts on. */
export interface CountedLease {
  /** Names it among all. */
  readonly key: string;
  readonly holder: string;
  readonly epoch: number;
  /** It has ended and nobody heard why. */
  readonly lost: () => void;
}

export class LeaseDoubts {
  readonly #countedOn: (device: string) => readonly CountedLease[];
  readonly #said = new Map<string, Lease>();
  /** One per lease; each lasts a second. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(countedOn: (device: string) => readonly CountedLease[]) {
    this.#countedOn = countedOn;
  }

  /** The driver that is online says whose lease it is; undefined: nobody's. */
  said(device: string, lease: Lease): void {
    this.#said.set(device, lease);
    for (const one of this.#countedOn(device)) {
      if (this.#lives(device, one) || this.#timers.has(one.key)) continue;
      const look = () => {
        this.#timers.delete(one.key);
        this.#look(device, one.key);
      };
      this.#timers.set(one.key, setTimeout(look, reasonMsMax));
    }
  }

  #lives(device: string, { holder, epoch }: CountedLease): boolean {
    const lease = this.#said.get(device);
    return lease?.holder === holder && lease.epoch === epoch;
  }

  #look(device: string, key: string): void {
    const now = this.#countedOn(device).find((one) => one.key === key);
    if (now !== undefined && !this.#lives(device, now)) now.lost();
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** What the active runs count on, by the coordinator's own name. */
export function leasesOfRuns(
  runs: RunDesk,
  holder: string,
  device: string,
): readonly CountedLease[] {
  return runs.active.flatMap((run) => {
    const epoch = epochOf(run, device);
    if (epoch === undefined) return [];
    const text = "its lease has ended and nobody heard why";
    const lost = () => {
      runs.feed(run.run, { kind: "tripped", device, code: "LEASE_LOST", text });
    };
    return [{ key: `${run.run}/${device}/${epoch}`, holder, epoch, lost }];
  });
}
