/**
 * Carries out what the lease machine decides: stores epochs, stops the axis, tells the holder.
 *
 * The idea: every message, beat and tick goes through the machine with the present time, so the
 * deadline is looked at first whatever woke the process [PROTOCOL 3]. It refuses to lend anything
 * without a durable epoch.
 */
import type { Ms } from "#drivers/reading.js";
import { codeOf, textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import { holdMs } from "./hold.machine.js";
import type { Journal } from "./journal.js";
import {
  type LeaseEffect,
  type LeaseFacts,
  type LeaseInput,
  type LeaseRefusal,
  type LeaseState,
  leaseAtBoot,
  leaseHeeds,
  leaseLives,
  nextLease,
} from "./lease.machine.js";
import type { Outbox } from "./outbox.js";

export interface LeaseAnswer {
  readonly request: string;
  readonly outcome:
    | { readonly ok: true; readonly epoch: number; readonly leaseMs: Ms }
    | { readonly ok: false; readonly code: LeaseRefusal; readonly text: string };
}

export interface LeaseParts {
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly log: Log;
  readonly leaseMs: Ms;
  readonly facts: (nowMs: Ms, leaseMs: Ms) => LeaseFacts;
  readonly answer: (answer: LeaseAnswer) => void;
  readonly stopAxis: (reason: string) => void;
  /** Somebody waits for a device that has not been read: it is asked at once [PROTOCOL 14]. */
  readonly onNotReady: () => void;
  readonly onGranted: () => void;
  readonly onEnded: (reason: string, epoch: number) => void;
}

export class LeaseRunner {
  readonly #parts: LeaseParts;
  #state: LeaseState = leaseAtBoot(0);

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** Who may command now; undefined: nobody. */
  get held(): { readonly holder: string; readonly epoch: number } | undefined {
    const state = this.#state;
    if (state.at !== "held" || performance.now() >= state.deadlineMs) return undefined;
    return { holder: state.holder, epoch: state.epoch };
  }

  lives(holder: string, epoch: number): boolean {
    return leaseLives(this.#state, holder, epoch, performance.now());
  }

  restore(epoch: number): void {
    this.#state = leaseAtBoot(epoch);
  }

  apply(input: LeaseInput): void {
    const nowMs = performance.now();
    // Most ticks and beats: no facts are gathered for what they cannot change.
    if (!leaseHeeds(this.#state, input, nowMs)) return;
    const { facts, leaseMs } = this.#parts;
    const step = nextLease(this.#state, input, facts(nowMs, leaseMs));
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#run(effect);
  }

  #run(effect: LeaseEffect): void {
    const { answer, stopAxis, outbox, log, onGranted, onEnded, leaseMs } = this.#parts;
    switch (effect.kind) {
      case "persistEpoch":
        this.#persist(effect.epoch);
        return;
      case "granted": {
        const { request, holder, epoch } = effect;
        const hold = this.#state.at === "held" && this.#state.hold === true;
        answer({ request, outcome: { ok: true, epoch, leaseMs: hold ? holdMs : leaseMs } });
        outbox.emit("axis", "lease.granted", { holder, epoch });
        onGranted();
        return;
      }
      case "refused": {
        const { request, code, text } = effect;
        answer({ request, outcome: { ok: false, code, text } });
        if (code === "NOT_READY") this.#parts.onNotReady();
        return;
      }
      case "ended": {
        const { holder, epoch, reason } = effect;
        log.info({ mark: "lease.ended", holder, epoch, reason }, "lease ended");
        onEnded(reason, epoch);
        outbox.emit("axis", "lease.ended", { holder, epoch, reason });
        return;
      }
      case "stopAxis":
        stopAxis(effect.reason);
        return;
      default:
        effect satisfies never;
    }
  }

  #persist(epoch: number): void {
    this.#parts.journal.saveEpoch(epoch).then(
      () => this.apply({ kind: "persisted", epoch }),
      (thrown) => {
        const code = codeOf(thrown) === "STORE_FULL" ? "STORE_FULL" : "STORE_FAILED";
        this.#parts.log.error({ epoch, error: textOf(thrown) }, "epoch not stored");
        this.apply({ kind: "persistFailed", epoch, code });
      },
    );
  }
}
