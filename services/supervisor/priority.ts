/**
 * How much of a busy PC a service may ask for, beside whatever else runs there.
 *
 * The idea: a permit or a lease that comes late stops motion, so what motion needs goes before
 * pages, builds and backups. A process inherits the priority of who starts it; where the scheduler
 * makes each session a group of its own, the group has one as well. It refuses to insist: a user
 * who may not raise priorities gets the usual one, and `servocell doctor` says how to allow it.
 */
import { writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/** Broker, bus, drivers, coordinator: what motion waits for. */
export const motionPriority = -10;
/** The gateway: its stop road goes before other programs, its page behind motion. */
export const gatewayPriority = -5;

/** What this thread starts within `start` begins with that priority, where it may. */
export function atPriority<T>(priority: number, start: () => T): T {
  const before = getPriority();
  if (priority >= before || !raised(priority)) return start();
  try {
    return start();
  } finally {
    setPriority(before);
  }
}

function raised(priority: number): boolean {
  try {
    setPriority(priority);
    return true;
  } catch {
    return false;
  }
}

/** Whether a process of this user may ask for more than others have. */
export function mayRaise(): boolean {
  return atPriority(motionPriority, () => getPriority() === motionPriority);
}

/** The group of a process that leads a session; does nothing where there are no such groups. */
export function favourSession(pid: number, priority: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(priority));
  } catch {
    // Not here, or not by us: the usual share.
  }
}
