/**
 * What may stop a motion while it goes on, beside a person: interlocks and the end of the travel.
 *
 * The idea: the looks before a frame and the looks while something moves ask the same facts, so
 * they stand together; whatever they stop is told why. It refuses to look at a stop in progress:
 * that one has its own machine.
 */
import type { DeviceModel } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import type { Log } from "#kernel/ports.js";
import { isUnbounded, mayMove } from "./command-checks.js";
import type { CommandRunner } from "./command-runner.js";
import type { LeaseRunner } from "./lease-runner.js";
import type { Permits } from "./permits.js";
import type { Interruption } from "./pipeline.machine.js";
import type { Readings } from "./readings.js";
import type { StopRunner } from "./stop-runner.js";
import { endAhead } from "./travel.js";

export interface GuardParts {
  readonly model: DeviceModel;
  readonly log: Log;
  readonly stops: StopRunner;
  readonly leases: LeaseRunner;
  readonly commands: CommandRunner;
  readonly readings: Readings;
  readonly permits: Permits;
  readonly pollPeriodMs: () => Ms;
  /** A velocity or jog goes on, its command ended or not. */
  readonly goesOn: () => boolean;
  /** The last motion ended as anything but done: what is left of it may go on. */
  readonly unfinished: () => boolean;
  /** Interlocks that the present hold leaves out of account. */
  readonly bypass: () => readonly string[];
}

export class MotionGuard {
  readonly #parts: GuardParts;
  #cause: Interruption | undefined;

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  /** Whatever `work` interrupts is told this cause. */
  because(why: Interruption, work: () => void): void {
    this.#cause = why;
    try {
      work();
    } finally {
      this.#cause = undefined;
    }
  }

  interrupt(reason: string): void {
    const text = `ended by ${reason}`;
    const plain = { code: "SUPERSEDED", fault: "STOPPED_SHORT", text } as const;
    this.#parts.commands.interrupt(this.#cause ?? plain);
  }

  /** The first interlock that forbids to move, in words. */
  interlock(nowMs: Ms): string | undefined {
    return this.#parts.permits.forbids(nowMs, this.#parts.bypass());
  }

  /** Moves under a lease although its command has ended, as after a verdict that is not done. */
  get #movesOn(): boolean {
    const { readings, leases, commands } = this.#parts;
    const { moving } = readings.view;
    const ended = leases.held !== undefined && commands.running === undefined;
    return ended && moving.ok && moving.value;
  }

  /** A permit that goes false or silent stops what it forbids [PROTOCOL 8]. */
  watchPermits(nowMs: Ms): void {
    const { stops, commands, model, log, goesOn } = this.#parts;
    if (stops.active) return;
    const { running, triggered } = commands;
    const motion = running !== undefined && triggered && mayMove(model, running.verb);
    if (!motion && !goesOn() && !this.#movesOn) return;
    const text = this.interlock(nowMs);
    if (text === undefined) return;
    log.warn({ mark: "interlock.tripped", interlock: text }, "stopped by an interlock");
    const why = { code: "INTERLOCKED", fault: "INTERLOCKED", text } as const;
    this.because(why, () => stops.own(text));
  }

  /** A motion without a target ends where the travel does; a leash ends there by itself. */
  watchTravel(): void {
    const { stops, commands, readings, model, log, pollPeriodMs, goesOn, unfinished } = this.#parts;
    const { running, triggered } = commands;
    const unbounded = running !== undefined && triggered && isUnbounded(running.verb);
    // Not whatever moves: a move that is done may still settle at the very end of the travel.
    if (stops.active || commands.leashed || !(unbounded || goesOn() || unfinished())) return;
    const end = endAhead(readings.view, model.setup.axis, pollPeriodMs());
    if (end === undefined) return;
    log.warn({ mark: "travel.end" }, `stopped before ${end}`);
    const why = { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: `it reaches ${end}` } as const;
    this.because(why, () => stops.own("end of travel"));
  }

  /** Why no frame of this command may leave now; whatever has to be stopped is stopped. */
  forbidden(verb: string, holder: string, epoch: number): Interruption | undefined {
    const { stops, leases, model } = this.#parts;
    const nowMs = performance.now();
    if (!leases.lives(holder, epoch)) {
      leases.apply({ kind: "tick" });
      return { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "the lease has ended" };
    }
    if (stops.latched || stops.active) {
      return { code: "SUPERSEDED", fault: "STOPPED_SHORT", text: "a stop came first" };
    }
    const interlock = mayMove(model, verb) ? this.interlock(nowMs) : undefined;
    if (interlock === undefined) return undefined;
    this.watchPermits(nowMs);
    return { code: "INTERLOCKED", fault: "INTERLOCKED", text: interlock };
  }
}
