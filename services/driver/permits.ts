/**
 * Interlocks as permits: evaluated where they can be read, watched where they matter.
 *
 * The idea: the driver that reads a condition's device says every 50 ms whether it holds; the
 * driver that moves takes silence of 200 ms for a no, by its own clock [PROTOCOL 8]. It refuses
 * to let a missing or old reading pass for a condition that holds.
 */
import type { DeviceView } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { evaluate, viewLookup } from "#kernel/config/condition.js";
import type { Boot, MessageLink } from "#kernel/ports.js";

/** How often a permit is repeated, at least. */
export const permitRepeatMs = 50;
/** A permit older than this, by the mover's own clock, is a no. */
export const permitAgeMsMax = 200;
/** After a silence the next ones must come at their pace: a backlog says what no longer holds. */
const pacedMs = permitRepeatMs / 2;

interface Seen {
  readonly ok: boolean;
  readonly text: string;
  readonly atMs: Ms;
  /** When the first one came after a silence; what came with it may be as old as that. */
  readonly sinceMs: Ms;
  readonly bootId: string;
  readonly n: number;
}

export interface PermitParts {
  readonly cell: CellConfig;
  readonly device: string;
  readonly link: MessageLink;
  readonly boot: Boot;
  readonly view: () => DeviceView;
  /** How often this device is read, as `check` reckons with it. */
  readonly pollMs: Ms;
  /** Before a permit is taken: the clock is looked at first, as for beats [PROTOCOL 3, 8]. */
  readonly beforeSeen: () => void;
}

export class Permits {
  readonly #parts: PermitParts;
  readonly #needed: readonly string[];
  readonly #own: CellConfig["interlocks"];
  readonly #seen = new Map<string, Seen>();
  readonly #said = new Map<string, boolean>();
  #n = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: PermitParts) {
    this.#parts = parts;
    const { interlocks } = parts.cell;
    this.#own = interlocks.filter((interlock) => interlock.evaluator === parts.device);
    const moving = interlocks.filter((interlock) => interlock.moves.includes(parts.device));
    this.#needed = moving.map((interlock) => interlock.name);
    for (const name of this.#needed) {
      parts.link.subscribe("permit", { name }, ({ payload }) => {
        const { ok, text, bootId, n } = payload;
        const last = this.#seen.get(name);
        // A permit that was overtaken says what no longer holds.
        if (last?.bootId === bootId && n <= last.n) return;
        parts.beforeSeen();
        const atMs = performance.now();
        const silent = last === undefined || atMs - last.atMs > permitAgeMsMax;
        const sinceMs = silent ? atMs : last.sinceMs;
        this.#seen.set(name, { ok, text, bootId, n, atMs, sinceMs });
      });
    }
  }

  /** The first interlock that forbids this device to move, in words. */
  forbids(nowMs: Ms, except: readonly string[] = []): string | undefined {
    for (const name of this.#needed) {
      if (except.includes(name)) continue;
      const seen = this.#seen.get(name);
      if (seen === undefined) return `interlock ${name}: no permit has been seen`;
      const ageMs = Math.round(nowMs - seen.atMs);
      if (ageMs > permitAgeMsMax) return `interlock ${name}: its permit is ${ageMs} ms old`;
      if (!seen.ok) return `interlock ${name}: ${seen.text}`;
      if (seen.atMs - seen.sinceMs < pacedMs) {
        return `interlock ${name}: its permit has only just come back`;
      }
    }
    return undefined;
  }

  /** Evaluates what this device is asked for; says it on change and when it is due. */
  say(nowMs: Ms): void {
    if (this.#own.length === 0) return;
    const due = nowMs - this.#saidAtMs >= permitRepeatMs;
    for (const interlock of this.#own) {
      const { ok, text } = this.#evaluate(interlock, nowMs);
      if (!due && this.#said.get(interlock.name) === ok) continue;
      this.#said.set(interlock.name, ok);
      this.#publish(interlock.name, ok, text, nowMs);
    }
    if (due) this.#saidAtMs = nowMs;
  }

  #publish(name: string, ok: boolean, text: string, nowMs: Ms): void {
    const { link, boot } = this.#parts;
    this.#n += 1;
    const n = this.#n;
    const { bootId } = boot;
    // A condition on the mover itself takes no way round by the broker.
    if (this.#needed.includes(name)) {
      const sinceMs = Number.NEGATIVE_INFINITY;
      this.#seen.set(name, { ok, text, bootId, n, atMs: nowMs, sinceMs });
    }
    if (!link.connected) return;
    link
      .publish("permit", { name }, { v: 1, ts: Date.now(), bootId, n, ok, text })
      // Silence is what the mover makes of it.
      .catch(() => undefined);
  }

  #evaluate(interlock: CellConfig["interlocks"][number], nowMs: Ms): { ok: boolean; text: string } {
    const { device, view, pollMs } = this.#parts;
    const lookup = viewLookup((id) => (id === device ? view() : undefined));
    // With the run-on distance as `check` works it out: however long a poll takes, no older.
    const oldestMs = pollMs + permitAgeMsMax;
    const outcome = evaluate(interlock.require, (id, field) => {
      const reading = lookup(id, field);
      if (reading === undefined || !reading.ok || nowMs - reading.atMs <= oldestMs) return reading;
      return { ok: false, reason: "timeout", atMs: reading.atMs };
    });
    if (!outcome.ok) return { ok: false, text: outcome.reason };
    return outcome.holds
      ? { ok: true, text: interlock.require.text }
      : { ok: false, text: outcome.missing };
  }
}
