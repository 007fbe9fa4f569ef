/**
 * Leases that have ended without a word of it.
 *
 * The idea: the event that says why a lease has ended may be lost with a connection, but the
 * driver goes on saying whose lease it is. What it says comes after its grant, on the same
 * connection, so another epoch than the run's is the end of the run's; the event is waited for
 * a moment, because it says why. It refuses to guess the reason: without one a person decides.
 */
import type { Ms } from "#drivers/reading.js";
import type { StateAxis } from "#kernel/contract/payloads.js";
import type { RunDesk } from "./run-desk.js";
import { epochOf } from "./run-state.js";

/** An event is stored before it is told; longer than that it is not waited for. */
export const reasonMsMax: Ms = 1000;

type Lease = StateAxis["lease"];

export class LeaseDoubts {
  readonly #runs: RunDesk;
  readonly #holder: string;
  readonly #said = new Map<string, Lease>();
  /** One per lease of a run; each lasts a second. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(runs: RunDesk, holder: string) {
    this.#runs = runs;
    this.#holder = holder;
  }

  /** The driver that is online says whose lease it is; undefined: nobody's. */
  said(device: string, lease: Lease): void {
    this.#said.set(device, lease);
    for (const run of this.#runs.active) {
      const epoch = epochOf(run, device);
      const key = `${run.run}/${device}/${epoch}`;
      if (epoch === undefined || this.#lives(device, epoch) || this.#timers.has(key)) continue;
      const look = () => {
        this.#timers.delete(key);
        this.#look(run.run, device, epoch);
      };
      this.#timers.set(key, setTimeout(look, reasonMsMax));
    }
  }

  #lives(device: string, epoch: number): boolean {
    const lease = this.#said.get(device);
    return lease?.holder === this.#holder && lease.epoch === epoch;
  }

  #look(run: string, device: string, epoch: number): void {
    const now = this.#runs.find(run);
    const counts = now !== undefined && epochOf(now, device) === epoch;
    if (!counts || this.#lives(device, epoch)) return;
    const text = "its lease has ended and nobody heard why";
    this.#runs.feed(run, { kind: "tripped", device, code: "LEASE_LOST", text });
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
