/**
 * Commands on the cell: reset, clear, hold, suspend, its mode, and devices taken out of use.
 *
 * The idea: the cell machine says whether a command is taken, and its refusal names the state and
 * what is allowed. What outlives a restart is written before it is answered. It refuses to reset
 * a stop that the command does not name [PROTOCOL 2], and to start anything.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { cellModes } from "#kernel/config/saga.js";
import { takesCommands } from "#kernel/config/takes-commands.js";
import { CellDesk } from "./cell-desk.js";
import type { CellWatch } from "./cell-watch.js";
import { type Answer, type Asked, keeping, nameIn, reasonOf, refusal } from "./door-answer.js";
import type { EventOutbox } from "./event-outbox.js";
import type { ExclusionDesk } from "./exclusion-desk.js";
import type { HoldDesk } from "./hold-desk.js";
import type { LatchDesk } from "./latch-desk.js";
import type { RunDesk } from "./run-desk.js";
import { isWaiting } from "./run-state.js";
import { heldDevices } from "./run-view.js";
import type { StoreQueue } from "./store-queue.js";

export const cellVerbs = [
  "reset",
  "clear",
  "hold",
  "unhold",
  "suspend",
  "unsuspend",
  "mode",
  "exclude",
  "include",
  "jog",
] as const;

export interface CellDoorParts {
  readonly config: CellConfig;
  readonly runs: RunDesk;
  readonly cell: CellDesk;
  readonly watch: CellWatch;
  readonly latches: LatchDesk;
  readonly queue: StoreQueue;
  readonly outbox: EventOutbox;
  readonly exclusions: ExclusionDesk;
  readonly holds: HoldDesk;
}

export class CellDoor {
  readonly #parts: CellDoorParts;

  constructor(parts: CellDoorParts) {
    this.#parts = parts;
  }

  async on(asked: Asked): Promise<Answer> {
    switch (asked.verb) {
      case "reset":
        return this.#reset(asked);
      case "clear":
        return this.#clear(asked);
      case "mode":
        return this.#mode(asked);
      case "exclude":
        return this.#exclude(asked);
      case "include":
        return this.#include(asked);
      case "jog":
        return this.#parts.holds.press(asked);
      default:
        return this.#park(asked);
    }
  }

  #refused(verb: string): Answer {
    const { cell } = this.#parts;
    const { at } = cell.state;
    const text = `The cell is ${at}; ${verb} is not allowed.`;
    return refusal("STATE_CONFLICT", text, { state: at, allowed: [...cell.allowed] });
  }

  #state(): Answer {
    return { ok: true, result: { state: this.#parts.cell.state.at } };
  }

  /** Nothing waits for the disk here: each run keeps its own hold in the journal. */
  #park({ verb, command }: Asked): Answer {
    const { cell } = this.#parts;
    const text = `${verb} by ${command.by.user}`;
    const taken =
      verb === "hold"
        ? cell.hold(text)
        : verb === "unhold"
          ? cell.unhold(text)
          : verb === "suspend"
            ? cell.suspend("person", text)
            : cell.unsuspend("person", text);
    return taken ? this.#state() : this.#refused(verb);
  }

  /** Names what was shown; a stop that came since is not among it and stays [PROTOCOL 2]. */
  async #reset({ command }: Asked): Promise<Answer> {
    const { cell, latches, runs, watch } = this.#parts;
    const given = command.args.stops;
    const named = Array.isArray(given) ? given.filter((id) => typeof id === "string") : [];
    const waiting = runs.open.find(isWaiting);
    if (waiting !== undefined) {
      const text = `The run ${waiting.run} is ${waiting.phase.at}; choose makeSafe or abandon first.`;
      return refusal("STATE_CONFLICT", text, { run: waiting.run });
    }
    const unnamed = latches.book.latches.filter(({ id }) => !named.includes(id));
    if (unnamed.length > 0) {
      const ids = unnamed.map(({ id }) => id);
      return refusal("LATCHED", `The reset does not name ${ids.join(", ")}.`, { stops: ids });
    }
    const reason = { code: "RESET", text: `reset by ${command.by.user}` };
    if (!cell.feed({ kind: "reset" }, reason)) return this.#refused("reset");
    const answer = await latches.reset(named, watch.axes, command.by);
    const ok = answer.ok && latches.book.latches.length === 0;
    cell.feed({ kind: "resetDone", ok }, ok ? reason : { code: "LATCHED", text: answer.text });
    if (ok) return this.#state();
    const text = answer.text === "" ? "another stop came meanwhile" : answer.text;
    return refusal("LATCHED", `The cell stays stopped: ${text}.`);
  }

  async #clear(asked: Asked): Promise<Answer> {
    const { cell, queue } = this.#parts;
    const { user } = asked.command.by;
    const text = `cleared by ${user}; reset is next`;
    if (!cell.feed({ kind: "clear" }, { code: "CLEARED", text })) return this.#refused("clear");
    const answer: Answer = { ok: true, result: { state: "Stopped" } };
    // A full disk keeps nobody in Aborted: nothing moves by it.
    const how = { durable: true, mayFail: true };
    await queue.write(keeping(asked, answer), how).catch(() => undefined);
    cell.feed({ kind: "cleared" }, { code: "CLEARED", text });
    return this.#state();
  }

  async #mode(asked: Asked): Promise<Answer> {
    const { cell, queue, runs, holds } = this.#parts;
    const { command } = asked;
    const mode = cellModes.find((known) => known === command.args.mode);
    if (mode === undefined) {
      return refusal("VALIDATION_FAILED", `A mode is one of ${cellModes.join(", ")}.`);
    }
    const answer: Answer = { ok: true, result: { mode } };
    if (cell.state.mode === mode) return answer;
    const [open] = runs.open;
    if (open !== undefined) {
      const text = `The run ${open.run} is open; the mode changes only when none is.`;
      return refusal("STATE_CONFLICT", text, { run: open.run });
    }
    const [held] = holds.devices;
    if (held !== undefined) {
      const text = `Somebody holds ${held}; the mode changes when the button is let go.`;
      return refusal("STATE_CONFLICT", text, { device: held });
    }
    const reason = { code: "MODE", text: `mode ${mode} by ${command.by.user}` };
    if (!cell.feed({ kind: "mode", mode }, reason)) return this.#refused("mode");
    await queue.write([CellDesk.modeStatement(mode), ...keeping(asked, answer)], {
      durable: true,
    });
    return answer;
  }

  async #exclude(asked: Asked): Promise<Answer> {
    const { config, runs, exclusions, holds } = this.#parts;
    const { command } = asked;
    const device = nameIn(command.args, "device");
    if (!config.devices.some((known) => known.id === device && takesCommands(known))) {
      return refusal("NOT_FOUND", `There is no device "${device}" that takes commands.`);
    }
    if (exclusions.isExcluded(device)) return this.#excluded(asked);
    const run = runs.open.find((open) => heldDevices(open).includes(device));
    if (run !== undefined) {
      const text = `The run ${run.run} (${run.saga.name}) has ${device}; end it first.`;
      return refusal("STATE_CONFLICT", text, { run: run.run, device });
    }
    if (holds.devices.includes(device)) {
      return refusal("STATE_CONFLICT", `Somebody holds ${device}; let it go first.`, { device });
    }
    const { user } = command.by;
    const text = reasonOf(command);
    exclusions.exclude(device, { user, ts: Date.now(), ...(text === undefined ? {} : { text }) });
    return this.#tellExclusion(asked, "excluded", { device, user, text: text ?? "" });
  }

  async #include(asked: Asked): Promise<Answer> {
    const { exclusions } = this.#parts;
    const device = nameIn(asked.command.args, "device");
    if (!exclusions.isExcluded(device)) {
      return refusal("STATE_CONFLICT", `${device} is not out of use.`, { device });
    }
    exclusions.include(device);
    return this.#tellExclusion(asked, "included", { device, user: asked.command.by.user });
  }

  async #tellExclusion(
    asked: Asked,
    type: "excluded" | "included",
    data: { readonly device: string; readonly user: string; readonly text?: string },
  ): Promise<Answer> {
    const { cell, queue, outbox, exclusions, config } = this.#parts;
    cell.publishSoon();
    outbox.emit("cell", config.cell, `device.${type}`, { ...data });
    const answer = this.#excluded(asked);
    await queue.write([exclusions.statement(), ...keeping(asked, answer)], { durable: true });
    return answer;
  }

  #excluded({ command }: Asked): Answer {
    const excluded = [...this.#parts.exclusions.devices];
    return { ok: true, result: { device: nameIn(command.args, "device"), excluded } };
  }
}
