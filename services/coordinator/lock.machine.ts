/**
 * Who is next for devices that other runs have: fair, all or none, and without a deadlock.
 *
 * The idea: a run takes the whole set of its devices at once, so that nobody waits while having
 * something, and no circle of waits can come about. Who waits stands in line by priority, then by
 * arrival, and keeps its devices free of everybody behind it. A run that came later may go first
 * by its priority, but past one that waits at most `overtakesMax` times: then that one goes before
 * all who came after it. Pure. It refuses to hand out part of what a run wants.
 */

/** So often a waiting run is passed by later ones of higher priority, and no more. */
export const overtakesMax = 8;

/** An open run as the locks see it. The list of them is in the order of arrival. */
export interface Claim {
  readonly run: string;
  readonly devices: readonly string[];
  /** True: it has none of its devices yet. */
  readonly waits: boolean;
  /** 0 to 9; higher goes first. */
  readonly priority: number;
}

/** How often each waiting run was passed; nothing is kept of those that do not wait. */
export type LockState = { readonly [run: string]: number };
export const locksAtBoot: LockState = {};

export interface LockTurn {
  readonly state: LockState;
  /** Runs whose devices are all theirs from now on, in this order. */
  readonly granted: readonly string[];
}

interface Waiting extends Claim {
  readonly arrival: number;
}

/** `claims`: all open runs, the oldest first. */
export function nextLocks(state: LockState, claims: readonly Claim[]): LockTurn {
  let passed = state;
  let now = claims;
  const granted: string[] = [];
  // One by one: each may be the last that may pass somebody.
  for (let one = firstFree(passed, now); one !== undefined; one = firstFree(passed, now)) {
    const { run, arrival } = one;
    granted.push(run);
    now = now.map((claim) => (claim.run === run ? { ...claim, waits: false } : claim));
    const isPassed = (claim: Claim, at: number) =>
      claim.waits && at < arrival && overlap(claim, one);
    const by = now.filter(isPassed).map((claim) => [claim.run, (passed[claim.run] ?? 0) + 1]);
    passed = { ...passed, ...Object.fromEntries(by) };
  }
  const kept = now.flatMap(({ run, waits }) => (waits ? [[run, passed[run] ?? 0]] : []));
  return { state: Object.fromEntries(kept), granted };
}

/** The first in line that can have all it wants, with nobody before it wanting any of it. */
function firstFree(state: LockState, claims: readonly Claim[]): Waiting | undefined {
  const taken = new Set(claims.flatMap(({ waits, devices }) => (waits ? [] : devices)));
  for (const one of lineOf(state, claims)) {
    if (one.devices.every((device) => !taken.has(device))) return one;
    for (const device of one.devices) taken.add(device);
  }
  return undefined;
}

/**
 * By priority, then by arrival. Up to the newest one that was passed often enough, by arrival
 * alone, so that it waits for nobody who came later and passes nobody who came before.
 */
function lineOf(state: LockState, claims: readonly Claim[]): readonly Waiting[] {
  const waiting = claims.flatMap((claim, arrival): Waiting[] =>
    claim.waits ? [{ ...claim, arrival }] : [],
  );
  const aged = waiting.findLast(({ run }) => (state[run] ?? 0) >= overtakesMax)?.arrival ?? -1;
  return waiting.sort((a, b) => {
    const rank = ({ arrival, priority }: Waiting) => (arrival <= aged ? 10 : priority);
    return rank(b) - rank(a) || a.arrival - b.arrival;
  });
}

function overlap(a: Pick<Claim, "devices">, b: Pick<Claim, "devices">): boolean {
  return a.devices.some((device) => b.devices.includes(device));
}

export interface Blocker {
  readonly device: string;
  readonly run: string;
  /** True: it has the device; false: it waits for it, too, and is before. */
  readonly has: boolean;
}

/** For each run that waits, in order of the line: who is before it at which device. */
export function blockersOf(
  state: LockState,
  claims: readonly Claim[],
): ReadonlyMap<string, readonly Blocker[]> {
  const first = new Map<string, Omit<Blocker, "device">>();
  for (const { run, waits, devices } of claims) {
    if (!waits) for (const device of devices) first.set(device, { run, has: true });
  }
  const found = new Map<string, readonly Blocker[]>();
  for (const { run, devices } of lineOf(state, claims)) {
    const blockers = devices.flatMap((device): Blocker[] => {
      const before = first.get(device);
      return before === undefined ? [] : [{ device, ...before }];
    });
    found.set(run, blockers);
    for (const device of devices) {
      if (!first.has(device)) first.set(device, { run, has: false });
    }
  }
  return found;
}
