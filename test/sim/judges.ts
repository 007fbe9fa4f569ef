/**
 * The judges of a world: pure functions over its trace, each with one promise to watch.
 *
 * The idea: a judge knows the promise and nothing of how it is kept. It returns sentences, each a
 * violation with its time. It refuses to repair or to explain.
 */
import type { TraceLine } from "#simulators/judges/trace.js";

export interface JudgeFacts {
  readonly devices: readonly string[];
  readonly leaseMs: number;
  /** Longest time from a stop's delivery to standstill, escalation and guardian included. */
  readonly standstillMs: number;
  readonly endMs: number;
}

type Of<K extends TraceLine["kind"]> = Extract<TraceLine, { kind: K }>;

function only<K extends TraceLine["kind"]>(trace: readonly TraceLine[], kind: K): Of<K>[] {
  return trace.filter((line): line is Of<K> => line.kind === kind);
}

const at = (ms: number) => `${ms.toFixed(2)} ms`;

/** No frame leaves on the command lane after a stop until a newer epoch was granted. */
export function noTriggerAfterStop(trace: readonly TraceLine[]): string[] {
  const stopped = new Map<string, Of<"stopDelivered">>();
  const problems: string[] = [];
  for (const line of trace) {
    if (line.kind === "stopDelivered") stopped.set(line.device, line);
    else if (line.kind === "lease" && line.change === "granted") stopped.delete(line.device);
    else if (line.kind === "handed" && line.lane === "command") {
      if (Number.parseInt(line.pdu.slice(0, 2), 16) <= 4) continue;
      const stop = stopped.get(line.device);
      if (stop === undefined || stop.boot !== line.boot) continue;
      problems.push(
        `${at(line.at)}: ${line.device} sent ${line.pdu} after stop ${stop.id} (${at(stop.at)})`,
      );
    }
  }
  return problems;
}

/** An axis starts to move only under a granted lease whose holder's beats still come. */
export function noMotionWithoutLease(trace: readonly TraceLine[], facts: JudgeFacts): string[] {
  const problems: string[] = [];
  const beats = new Map<string, number>();
  const leases = new Map<string, { live: boolean; at: number }>();
  for (const [i, line] of trace.entries()) {
    if (line.kind === "beat") beats.set(line.device, line.at);
    if (line.kind === "lease") {
      leases.set(line.device, { live: line.change === "granted", at: line.at });
    }
    if (line.kind !== "motion" || !line.moving || settles(trace, i, line)) continue;
    const beat = beats.get(line.device) ?? Number.NEGATIVE_INFINITY;
    const lease = leases.get(line.device);
    // A frame may be on the wire when the lease ends: one exchange of slack.
    // A lease lives from its grant on, also before its first beat.
    const from = lease?.live === true ? Math.max(beat, lease.at) : beat;
    if (line.at - from > facts.leaseMs + 50) {
      problems.push(`${at(line.at)}: ${line.device} started to move, last beat ${at(beat)}`);
    }
    if (lease === undefined || (!lease.live && line.at - lease.at > 50)) {
      problems.push(`${at(line.at)}: ${line.device} started to move without a lease`);
    }
  }
  return problems;
}

/** A set-point moved to where the axis stands settles by less than one raw unit: no motion. */
function settles(trace: readonly TraceLine[], i: number, start: Of<"motion">): boolean {
  const next = trace.slice(i + 1).find((l) => l.kind === "motion" && l.device === start.device);
  return next?.kind === "motion" && Math.abs(next.position - start.position) < 1;
}

/** After every stop that reached a driver the axis stands still in bounded time. */
export function everyStopReachesStandstill(
  trace: readonly TraceLine[],
  facts: JudgeFacts,
): string[] {
  const problems: string[] = [];
  for (const device of facts.devices) {
    const motion = only(trace, "motion").filter((line) => line.device === device);
    const stops = only(trace, "stopDelivered").filter((line) => line.device === device);
    for (const stop of stops) {
      const deadline = stop.at + facts.standstillMs;
      if (deadline > facts.endMs) continue;
      const last = motion.findLast((line) => line.at <= stop.at);
      const rests = motion.some((m) => !m.moving && m.at > stop.at && m.at <= deadline);
      if (last?.moving === true && !rests) {
        problems.push(`${at(stop.at)}: ${device} still moves ${facts.standstillMs} ms after it`);
      }
    }
  }
  return problems;
}

/** When a lease is over, motion is over soon after. */
export function noMotionAfterLease(trace: readonly TraceLine[], facts: JudgeFacts): string[] {
  const problems: string[] = [];
  for (const device of facts.devices) {
    const motion = only(trace, "motion").filter((line) => line.device === device);
    const leases = only(trace, "lease").filter((line) => line.device === device);
    for (const [i, lease] of leases.entries()) {
      if (lease.change !== "ended") continue;
      const deadline = lease.at + facts.standstillMs;
      const next = leases[i + 1]?.at ?? facts.endMs;
      if (next < deadline) continue;
      const last = motion.findLast((line) => line.at <= deadline);
      if (last?.moving === true) {
        problems.push(`${at(lease.at)}: ${device} moves on after the end of epoch ${lease.epoch}`);
      }
    }
  }
  return problems;
}

/** All judges, by the name of their promise. */
export const judges = {
  noTriggerAfterStop,
  noMotionWithoutLease,
  everyStopReachesStandstill,
  noMotionAfterLease,
} as const;
