/**
 * Devices of runs as locks: who has them, and who is next.
 *
 * The idea: a run has its devices from its first lease to its end, also while it is stopped or
 * needs a person; the open runs themselves are the record of it, and the table of locks says the
 * same in the transaction that begins or ends one [SG-09]. Who waits is told why, by name. It
 * refuses to hand out part of what a run wants, and anything before it has been ruled what may go
 * on after a restart.
 */
import { blockersOf, type Claim, locksAtBoot, nextLocks } from "./lock.machine.js";
import type { RunDesk } from "./run-desk.js";
import type { Run } from "./run-state.js";
import { heldDevices } from "./run-view.js";

/** @default priority of a saga */
const priorityDefault = 5;

export interface Taken {
  readonly run: string;
  readonly saga: string;
  readonly devices: readonly string[];
  /** It does not have them yet, and is before whoever comes now. */
  readonly waits: boolean;
}

export class LockDesk {
  readonly #runs: () => RunDesk;
  #state = locksAtBoot;
  #claims: readonly Claim[] = [];
  #blockers: ReturnType<typeof blockersOf> | undefined;
  /** These claims were looked at, and nobody was next. */
  #settled: readonly Claim[] | undefined;
  #asked = false;
  #open = false;
  #closed = false;

  constructor(runs: () => RunDesk) {
    this.#runs = runs;
  }

  /** The first run that has one of these devices, or waits for one; undefined: all are free. */
  taken(devices: readonly string[]): Taken | undefined {
    const { open } = this.#runs();
    const claims = this.#claimed();
    const inOrder = [...claims.filter(({ waits }) => !waits), ...claims.filter((c) => c.waits)];
    for (const { run, devices: theirs, waits } of inOrder) {
      const shared = theirs.filter((device) => devices.includes(device));
      const saga = open.find((other) => other.run === run)?.saga.name ?? "";
      if (shared.length > 0) return { run, saga, devices: shared, waits };
    }
    return undefined;
  }

  /** Why the run stands still, for people; undefined: it does not wait for devices. */
  why(run: Run): string | undefined {
    if (run.phase.at !== "waiting") return undefined;
    const claims = this.#claimed();
    // Worked out once for all of them, and again when somebody comes, goes or is granted.
    this.#blockers ??= blockersOf(this.#state, claims);
    const blockers = this.#blockers.get(run.run) ?? [];
    const words = blockers.map(({ device, run: by, has }) => {
      return `${device} (the run ${by} ${has ? "has it" : "is before it"})`;
    });
    return `waits for ${(words.length > 0 ? words : run.phase.want).join(", ")}`;
  }

  /** After a start: it has been ruled what may go on by itself [PROTOCOL 1]. */
  open(): void {
    this.#open = true;
    this.look();
  }

  /** Nobody is next any more; who waits does so in the journal. */
  close(): void {
    this.#closed = true;
  }

  /** There is news of a run: whoever waits may be next. */
  look(): void {
    if (this.#asked || !this.#open) return;
    this.#asked = true;
    queueMicrotask(() => {
      this.#asked = false;
      if (this.#closed) return;
      const claims = this.#claimed();
      if (claims === this.#settled) return;
      const turn = nextLocks(this.#state, claims);
      this.#state = turn.state;
      this.#blockers = undefined;
      this.#settled = turn.granted.length === 0 ? claims : undefined;
      for (const run of turn.granted) this.#runs().feed(run, { kind: "locked" });
    });
  }

  /** The same list as before while nobody came, went, was granted or does without a device. */
  #claimed(): readonly Claim[] {
    const claims = claimsOf(this.#runs().open);
    const isSame = claims.every((claim, i) => isEqual(claim, this.#claims[i]));
    if (isSame && claims.length === this.#claims.length) return this.#claims;
    this.#claims = claims;
    this.#blockers = undefined;
    return claims;
  }
}

function isEqual(a: Claim, b: Claim | undefined): boolean {
  if (b === undefined || a.run !== b.run || a.waits !== b.waits) return false;
  return a.devices === b.devices || a.devices.join() === b.devices.join();
}

/** In the order in which the runs came. */
function claimsOf(open: readonly Run[]): readonly Claim[] {
  return open.map((run) => {
    const { phase, saga } = run;
    const waits = phase.at === "waiting";
    return {
      run: run.run,
      devices: waits ? phase.want : heldDevices(run),
      waits,
      priority: saga.priority ?? priorityDefault,
    };
  });
}
