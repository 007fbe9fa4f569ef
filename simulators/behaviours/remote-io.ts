/**
 * An I/O module: outputs that are written, inputs that somebody else sets, perhaps a watchdog.
 *
 * The idea: what was written to an output is what it shows, until a watchdog that has been armed
 * by a write runs out; then all outputs are 0 and writes are refused until the power was away
 * [Beckhoff BK7300 p.36]. Relay boards turn a coil over for 0x5500. It refuses addresses.
 */
import { type Behaviour, deviceFailure, type Registers, type Touched } from "./behaviour.js";

export interface RemoteIoFacts {
  readonly functions: readonly number[];
  readonly outputs: readonly string[];
  readonly togglesCoils: boolean;
  /** Contents of its settings. */
  readonly settings: Readonly<Record<string, number>>;
  /** A word that shows all outputs, bit 0 the first. */
  readonly word?: string;
  readonly watchdog: boolean;
}

export interface RemoteIoState {
  readonly armed: boolean;
  readonly tripped: boolean;
  readonly silentMs: number;
  /** Any telegram feeds the watchdog; else only writes do. */
  readonly everyTelegram: boolean;
  readonly levels: Readonly<Record<string, number>>;
}

/** 0x1122 of a coupler: 1, every telegram counts; 0, writes only. */
const typeEvery = 1;

export function remoteIo(facts: RemoteIoFacts): Behaviour<RemoteIoState> {
  const poweredUp: RemoteIoState = {
    armed: false,
    tripped: false,
    silentMs: 0,
    everyTelegram: facts.settings.watchdogType === typeEvery,
    levels: {},
  };
  const levelsOf = (registers: Registers) => {
    return Object.fromEntries(facts.outputs.map((name) => [name, registers(name)]));
  };
  return {
    functions: new Set(facts.functions),
    defaults: facts.settings,
    togglesCoils: facts.togglesCoils,
    initial: () => poweredUp,
    reboot: () => poweredUp,
    heard: (state) => (state.everyTelegram ? { ...state, silentMs: 0 } : state),
    written: (state, registers, touched: readonly Touched[]) => {
      if (state.tripped) return { ok: false, exception: deviceFailure };
      const everyTelegram = registers("watchdogType") === typeEvery;
      const output = touched.some(({ points }) => points.some((p) => facts.outputs.includes(p)));
      const armed = state.armed || (facts.watchdog && output);
      const levels = levelsOf(registers);
      return { ok: true, state: { ...state, armed, everyTelegram, silentMs: 0, levels } };
    },
    step: (state, { dtMs, registers }) => {
      const silentMs = state.silentMs + dtMs;
      const limitMs = registers("watchdogTime");
      const late = state.armed && limitMs > 0 && silentMs >= limitMs;
      return late ? { ...state, silentMs, tripped: true, levels: {} } : { ...state, silentMs };
    },
    quiet: ({ armed, tripped }) => !armed || tripped,
    values: ({ levels }) => {
      const shown = facts.outputs.map((name) => levels[name] ?? 0);
      const word = shown.reduce((sum, level, i) => sum | (level << i), 0);
      return {
        ...Object.fromEntries(facts.outputs.map((name, i) => [name, shown[i] ?? 0])),
        ...(facts.word === undefined ? {} : { [facts.word]: word }),
      };
    },
    trip: (state) => ({ ...state, tripped: true, levels: {} }),
    released: (state) => state,
    motion: () => ({ moving: false, position: 0, velocity: 0 }),
    word: ({ tripped }) => (tripped ? "watchdog" : "ready"),
  };
}
