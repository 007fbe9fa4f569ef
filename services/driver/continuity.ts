/**
 * Whether a leased device is still the one that was lent [PROTOCOL 13].
 *
 * The idea: what must not change by itself is compared from poll to poll: enable, home, remote,
 * fault, and the place of an axis that nobody moves. A change that no command of ours explains
 * ends the lease with that reason. Pure; it refuses to look while nothing is leased.
 */
import type { DeviceView } from "#drivers/device-model.js";
import type { Reading } from "#drivers/reading.js";

/** Polls in a row that may fail while leased. */
export const missedPollsMax = 3;
/** Polls in a row that must show an unasked motion. */
export const strayPollsMax = 3;
/** Unasked motion: farther from the place of rest than this many tolerances. */
const strayTolerances = 3;

export interface ContinuityFacts {
  readonly view: DeviceView;
  /** Verb of the command that is running, if any. */
  readonly running: string | undefined;
  /** A velocity that goes on after its command, or a stop that is under way. */
  readonly motionExpected: boolean;
  /** Of the axis, user units; undefined for devices without a position. */
  readonly tolerance: number | undefined;
}

export interface Loss {
  readonly reason: string;
  /** Of the command that it interrupts. */
  readonly fault: "STOPPED_SHORT" | "DRIVE_FAULT";
}

interface Bits {
  readonly enabled: boolean | undefined;
  readonly homed: boolean | undefined;
  readonly remote: boolean | undefined;
  readonly fault: boolean | undefined;
}

/** Commands that may take these bits away by themselves. */
const mayDisable: ReadonlySet<string> = new Set(["disable", "enable", "resetFault"]);
const mayUnhome: ReadonlySet<string> = new Set(["home", "enable", "disable", "resetFault"]);

export class Continuity {
  #last: Bits | undefined;
  #rest: number | undefined;
  #strays = 0;

  /** Forgets what was; the next status is the new beginning. */
  restart(): void {
    this.#last = undefined;
    this.#rest = undefined;
    this.#strays = 0;
  }

  /** One good status. The loss, if it shows one. */
  look(facts: ContinuityFacts): Loss | undefined {
    const { view, running } = facts;
    const before = this.#last;
    const now: Bits = {
      enabled: known(view.enabled, before?.enabled),
      homed: known(view.homed, before?.homed),
      remote: known(view.remote, before?.remote),
      fault: known(view.fault, before?.fault),
    };
    this.#last = now;
    const verb = running ?? "";
    if (before?.fault === false && now.fault === true && verb !== "resetFault") {
      const code = view.faultCode.ok ? ` ${view.faultCode.value}` : "";
      return { reason: `the drive reports fault${code}`, fault: "DRIVE_FAULT" };
    }
    const lost = (reason: string): Loss => ({ reason, fault: "STOPPED_SHORT" });
    if (before?.enabled === true && now.enabled === false && !mayDisable.has(verb)) {
      return lost("the drive is no longer enabled");
    }
    if (before?.homed === true && now.homed === false && !mayUnhome.has(verb)) {
      return lost("the position reference was lost");
    }
    if (before?.remote === true && now.remote === false) {
      return lost("the drive was taken under local control");
    }
    return this.#stray(facts) ? lost("the axis moved without a command") : undefined;
  }

  #stray(facts: ContinuityFacts): boolean {
    const { view, running, motionExpected, tolerance } = facts;
    if (running !== undefined || motionExpected) {
      this.#rest = undefined;
      this.#strays = 0;
      return false;
    }
    const moving = view.moving.ok && view.moving.value;
    if (!moving && this.#rest === undefined && view.position.ok) this.#rest = view.position.value;
    const rest = this.#rest;
    const away = rest !== undefined && view.position.ok ? Math.abs(view.position.value - rest) : 0;
    const far = tolerance !== undefined && away > strayTolerances * tolerance;
    // Without a place of rest only the moving flag speaks.
    const strays = far || (moving && tolerance === undefined);
    this.#strays = strays ? this.#strays + 1 : 0;
    return this.#strays >= strayPollsMax;
  }
}

/** A bit that could not be read is as it was. */
function known(reading: Reading<boolean>, before: boolean | undefined): boolean | undefined {
  return reading.ok ? reading.value : before;
}
