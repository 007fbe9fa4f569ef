/**
 * Whether an unfinished run may make itself safe after a restart, or waits for a person.
 *
 * The idea: PROTOCOL 1 as one pure function over what is known: how long nobody was there, whether
 * it is the same start of the PC, whether a stop is latched, whether a drive may have lost its
 * place. It refuses to move on anything that is merely unknown.
 */

/** A longer absence than this is not a restart, but a cell that somebody may have entered. */
export const absenceMsMax = 10_000;

/** What the coordinator keeps writing down while it lives, about once a second. */
export interface Alive {
  readonly ts: number;
  readonly hostBootId: string;
  /** Axes that were seen with a position reference. */
  readonly homed: readonly string[];
}

export interface RestartFacts {
  readonly alive: Alive | undefined;
  /** The wall clock at this start, and the PC's boot id. */
  readonly nowTs: number;
  readonly hostBootId: string;
  readonly latched: readonly string[];
  /** The run's devices with their drivers' word: undefined when there is none. */
  readonly devices: readonly {
    readonly device: string;
    readonly heard: boolean;
    readonly homed: boolean | undefined;
    readonly rebooted: boolean;
  }[];
  /** False: the journal does not agree with itself. */
  readonly trusted: boolean;
}

export interface Ruling {
  readonly makeSafe: boolean;
  readonly text: string;
}

export function ruleRestart(facts: RestartFacts): Ruling {
  const waits = (text: string): Ruling => ({ makeSafe: false, text });
  const { alive, nowTs, hostBootId, latched, devices, trusted } = facts;
  if (!trusted) return waits("its journal does not agree with the saga machine");
  if (alive === undefined) return waits("nobody knows when it was last attended");
  if (alive.hostBootId !== hostBootId) return waits("the PC was started anew meanwhile");
  const absenceMs = nowTs - alive.ts;
  if (absenceMs < 0) return waits("the clock of the PC went backwards meanwhile");
  if (absenceMs > absenceMsMax) {
    return waits(`nobody attended it for ${Math.round(absenceMs / 1000)} s`);
  }
  if (latched.length > 0) return waits(`a stop is latched: ${latched.join(", ")}`);
  for (const { device, heard, homed, rebooted } of devices) {
    if (rebooted) return waits(`the drive of ${device} has rebooted`);
    if (!heard) return waits(`nothing is heard of ${device}`);
    if (homed === false && alive.homed.includes(device)) {
      return waits(`${device} has lost its position reference`);
    }
  }
  return { makeSafe: true, text: "the coordinator was away only briefly" };
}
