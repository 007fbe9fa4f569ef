/**
 * The motion of a jog, from its first trigger until something else ends it.
 *
 * The idea: a speed is given once and then only watched; on a leash a move is begun and its place
 * is put further on every 100 ms, each time from a fresh position, each time with the last look.
 * Each of these is a trigger of its own and is never repeated: one whose outcome is not known ends
 * the jog. It refuses to end a jog well by itself: letting go of the button does.
 */
import type { DeviceModel } from "#drivers/device-model.js";
import type { Ms, Verdict } from "#drivers/reading.js";
import { type Operation, runOperation } from "./operation-runner.js";
import { sleepUntil } from "./sleep.js";

/** How often the place is put further on. */
export const retargetMs: Ms = 100;

export interface Jog {
  readonly operation: Operation;
  /** Undefined: by speed. */
  readonly leash: Leash | undefined;
}

export interface Leash {
  readonly begin: NonNullable<DeviceModel["beginRetarget"]>;
  /** The next place as the drive has to be asked; undefined: nothing further ahead. */
  readonly next: () => { readonly position: number } | undefined;
  readonly points: () => Parameters<NonNullable<DeviceModel["beginRetarget"]>>[0]["points"];
}

/** The verdict of a jog that could not go on; undefined: it was ended by others. */
export async function runJog({ operation, leash }: Jog): Promise<Verdict | undefined> {
  const first = await runOperation({ ...operation, untilAccepted: leash !== undefined });
  if (first === undefined || first.verdict !== "done") return first;
  // At speed, or under way: whoever holds the button ends it, or the lapse of the hold does.
  return leash === undefined ? undefined : putFurther(operation, leash);
}

async function putFurther(operation: Operation, leash: Leash): Promise<Verdict | undefined> {
  let dueMs = performance.now() + retargetMs;
  while (operation.alive()) {
    await sleepUntil(dueMs);
    if (!operation.alive()) return undefined;
    const nowMs = performance.now();
    dueMs = nowMs + retargetMs;
    const place = leash.next();
    if (place === undefined) continue;
    const begun = leash.begin({ ...place, nowMs, points: leash.points() });
    if (!begun.ok) return notRefused(begun.verdict);
    const ended = await runOperation({ ...operation, begun: begun.state });
    if (ended === undefined || ended.verdict !== "done") return notRefused(ended);
  }
  return undefined;
}

/** The axis has been set going by the places before: nobody may take it for never moved. */
function notRefused(verdict: Verdict | undefined): Verdict | undefined {
  return verdict?.verdict === "refused" ? { ...verdict, verdict: "faulted" } : verdict;
}
