/**
 * Holds of the coordinator: asks the rule, asks the driver, keeps runs away, keeps the record.
 *
 * The idea: a press is refused here or lent by its driver; from then on the gateway and the driver
 * have it between themselves, and this desk only knows that the axis is in somebody's hand. What
 * is said of it is an event with the person's name [PROTOCOL 8, 16]. It refuses to renew or to
 * repeat anything.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { type By, type Command, commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import type { ErrorCode } from "#kernel/errors.js";
import { errors } from "#kernel/errors.js";
import type { NewId } from "#kernel/ports.js";
import type { CellDesk } from "./cell-desk.js";
import { type Answer, type Asked, reasonOf, refusal } from "./door-answer.js";
import type { DriverDesk } from "./driver-desk.js";
import type { EventOutbox } from "./event-outbox.js";
import type { ExclusionDesk } from "./exclusion-desk.js";
import { type HoldAsk, holdRefusal } from "./hold-rule.js";
import type { LatchDesk } from "./latch-desk.js";
import type { CountedLease } from "./lease-doubts.js";
import type { RunDesk } from "./run-desk.js";
import type { StoreQueue } from "./store-queue.js";

export interface HoldParts {
  readonly config: CellConfig;
  readonly cell: CellDesk;
  readonly runs: RunDesk;
  readonly latches: LatchDesk;
  readonly exclusions: ExclusionDesk;
  readonly drivers: DriverDesk;
  readonly outbox: EventOutbox;
  readonly queue: Pick<StoreQueue, "trouble">;
  readonly newId: NewId;
}

interface Open {
  readonly device: string;
  readonly by: By;
  readonly holder: string;
  /** Undefined: its driver has not answered yet. */
  readonly epoch: number | undefined;
  /** Leases of the device that have ended meanwhile: an answer may be read with its own end. */
  readonly over: readonly (number | undefined)[];
}

/** Ends that are remembered while a driver is asked; few fit into that time. */
const overMax = 16;

interface Wish extends HoldAsk {
  readonly hold: string;
  readonly velocity: number;
  /** The service that writes the heartbeats, and the start of it that the press belongs to. */
  readonly holder: string;
  readonly holderBootId: string;
}

export class HoldDesk {
  readonly #parts: HoldParts;
  readonly #open = new Map<string, Open>();

  constructor(parts: HoldParts) {
    this.#parts = parts;
  }

  /** Axes in somebody's hand. */
  get devices(): readonly string[] {
    return [...this.#open.values()].map(({ device }) => device);
  }

  /** The id of the command is the id of the hold, and of the motion's own command. */
  async press({ command }: Asked): Promise<Answer> {
    const wish = wishOf(command);
    if (wish === undefined) {
      const text = "A press names device, velocity, holder and holderBootId.";
      return refusal("VALIDATION_FAILED", text);
    }
    const { hold, device } = wish;
    if (!this.#parts.config.devices.some(({ id }) => id === device)) {
      return refusal("NOT_FOUND", `There is no device "${device}".`, { device });
    }
    const refused = this.#refused(wish);
    if (refused !== undefined) return refusal(refused.code, refused.text, { device });
    const open = { device, by: command.by, holder: wish.holder, over: [] };
    this.#open.set(hold, { ...open, epoch: undefined });
    this.#parts.runs.gate.occupy(hold, device);
    const lent = await this.#parts.drivers.hold(this.#parts.newId(), wish, command.by);
    if (!lent.ok) {
      this.#close(hold);
      return refusal(isCode(lent.code) ? lent.code : "STATE_CONFLICT", lent.text, { device });
    }
    const { over } = this.#open.get(hold) ?? {};
    // A driver that has died meanwhile has taken its word with it.
    if (over === undefined || over.includes(lent.epoch) || over.includes(undefined)) {
      this.#close(hold);
      return refusal("LEASE_LOST", `The hold of ${device} has ended.`);
    }
    this.#open.set(hold, { ...open, epoch: lent.epoch });
    this.#granted(wish, command.by, lent.epoch);
    return { ok: true, result: { hold, device, epoch: lent.epoch } };
  }

  /** The leases under the presses of this axis: an end that nobody told must not keep it. */
  leases(device: string): readonly CountedLease[] {
    return [...this.#open].flatMap(([hold, open]) => {
      const { holder, epoch } = open;
      if (open.device !== device || epoch === undefined) return [];
      const lost = () => this.#ended(hold, open, "it has ended and nobody heard why");
      return [{ key: `${hold}/${epoch}`, holder, epoch, lost }];
    });
  }

  leaseEnded(device: string, epoch: number | undefined, reason: string): void {
    for (const [hold, open] of this.#open) {
      if (open.device !== device) continue;
      if (open.epoch === undefined) {
        this.#open.set(hold, { ...open, over: [...open.over, epoch].slice(-overMax) });
      } else if (epoch === undefined || epoch === open.epoch) this.#ended(hold, open, reason);
    }
  }

  /** With it its lease is gone; the guardian has the axis. */
  driverGone(device: string): void {
    for (const [hold, open] of this.#open) {
      if (open.device === device) this.#ended(hold, open, "its driver is gone");
    }
  }

  #refused(ask: HoldAsk) {
    const { cell, runs, latches, exclusions, config } = this.#parts;
    const { at, mode } = cell.state;
    return holdRefusal(ask, {
      mode,
      state: at,
      trouble: this.#parts.queue.trouble,
      latched: latches.book.latches.map(({ id }) => id),
      excluded: exclusions.isExcluded(ask.device),
      runs: runs.open.map(({ run, saga }) => ({ run, uses: saga.uses })),
      held: this.devices,
      interlocks: config.interlocks,
    });
  }

  #granted(wish: Wish, by: By, epoch: number): void {
    const { hold, device, velocity, bypass, text } = wish;
    const { mode } = this.#parts.cell.state;
    const why = text === undefined ? {} : { text };
    const what = { hold, epoch, velocity, mode, bypass: [...bypass], ...why };
    this.#parts.outbox.emit("axis", device, "hold.granted", { ...what, ...by });
  }

  #ended(hold: string, { device, by, epoch }: Open, reason: string): void {
    this.#close(hold);
    if (epoch === undefined) return;
    this.#parts.outbox.emit("axis", device, "hold.ended", { hold, epoch, reason, ...by });
  }

  #close(hold: string): void {
    this.#open.delete(hold);
    this.#parts.runs.gate.vacate(hold);
  }
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errors, code);
}

function wishOf(command: Command): Wish | undefined {
  const { device, velocity, bypass, holder, holderBootId } = command.args;
  const names = Array.isArray(bypass) ? bypass.filter((one) => typeof one === "string") : [];
  if (!commandIdSchema.safeParse(command.id).success || !idSchema.safeParse(device).success) {
    return undefined;
  }
  if (typeof velocity !== "number" || typeof holderBootId !== "string") return undefined;
  if (typeof holder !== "string" || !idSchema.safeParse(holder).success) return undefined;
  const who = { holder, holderBootId };
  const ask = { device: String(device), bypass: names, text: reasonOf(command) };
  return { hold: command.id, velocity, ...ask, ...who };
}
