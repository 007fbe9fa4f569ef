/**
 * Hold-to-run of one axis: nonces out, echoes in, the motion in between.
 *
 * The idea: the hold machine decides; a proof renews the lease, the first one starts the motion
 * like any command (stored, checked, told), and what ends the hold ends the lease, which stops the
 * axis. Nonces and echoes use the stop connection and never wait for storage [PROTOCOL 5, 16]. It
 * refuses to move anything that nobody has proved to hold.
 */
import type { HoldBeat, HoldFeedback } from "#kernel/contract/hold-payloads.js";
import type { By, Command } from "#kernel/contract/payloads.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { Boot, Log, MessageLink, NewId } from "#kernel/ports.js";
import {
  type HoldEffect,
  type HoldGrant,
  type HoldInput,
  type HoldState,
  nextHold,
  noHold,
} from "./hold.machine.js";
import type { LeaseRunner } from "./lease-runner.js";
import type { Interruption } from "./pipeline.machine.js";

/** The command of a hold is as old as its hold; this only fills the field. */
const commandTtlMs = 2000;

export interface HoldRequest extends Omit<HoldGrant, "epoch"> {
  readonly holder: string;
  readonly by: By;
  readonly replyTo: string;
}

export interface HoldParts {
  readonly device: string;
  readonly stop: MessageLink;
  readonly boot: Boot;
  readonly newId: NewId;
  readonly log: Log;
  readonly leases: LeaseRunner;
  readonly submit: (command: Command) => Promise<void>;
  /** Does the work; what it interrupts is told this cause. */
  readonly because: (why: Interruption, work: () => void) => void;
}

export class Holds {
  readonly #parts: HoldParts;
  #state: HoldState = noHold;
  #request: HoldRequest | undefined;

  constructor(parts: HoldParts) {
    this.#parts = parts;
  }

  /** Interlocks that the present hold leaves out of account. */
  get bypass(): readonly string[] {
    return this.#state.at === "none" ? [] : this.#state.grant.bypass;
  }

  granted(request: HoldRequest, epoch: number): void {
    const { hold, velocity, bypass, granter } = request;
    this.#request = request;
    this.#apply({ kind: "granted", grant: { hold, epoch, velocity, bypass, granter } });
    this.tick();
  }

  tick(): void {
    if (this.#state.at !== "none") this.#apply({ kind: "tick", nonce: this.#parts.newId() });
  }

  heard({ hold, epoch, nonce, ttlMs }: HoldBeat): void {
    if (nonce === undefined) this.#apply({ kind: "release", hold, epoch });
    else this.#apply({ kind: "echo", hold, epoch, nonce, ttlMs });
  }

  leaseEnded(epoch: number, reason: string): void {
    this.#apply({ kind: "ended", epoch, reason });
  }

  /**
   * Who has granted it is gone, or another start of it is there, which knows nothing of it: nobody
   * keeps a run from starting on this axis.
   */
  presence(service: string, { status, bootId }: Pick<Payload<"avail">, "status" | "bootId">): void {
    if (this.#state.at === "none") return;
    const { granter } = this.#state.grant;
    if (granter.service !== service) return;
    const gone = status === "offline";
    // A will of another start says nothing about the one that has granted it.
    if (gone !== (granter.bootId === bootId)) return;
    this.#over(gone ? `${service} is offline` : `${service} has been started anew`);
  }

  /** The motion of this hold is over or never began; the button means nothing any more. */
  motionOver(command: string, why: string): void {
    if (this.#state.at === "none" || this.#state.grant.hold !== command) return;
    this.#over(why);
  }

  #over(reason: string): void {
    this.#parts.leases.apply({ kind: "continuityLost", reason });
  }

  #apply(input: HoldInput): void {
    const step = nextHold(this.#state, input, performance.now());
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#run(effect);
  }

  #run(effect: HoldEffect): void {
    const { leases, log } = this.#parts;
    switch (effect.kind) {
      case "say":
        if (this.#state.at !== "none") {
          const { at, grant } = this.#state;
          this.#say(grant, { state: at, nonce: effect.nonce });
        }
        return;
      case "renew":
        if (this.#state.at === "none") return;
        leases.apply({ kind: "renew", epoch: this.#state.grant.epoch, untilMs: effect.untilMs });
        return;
      case "begin":
        this.#begin();
        return;
      case "end":
        this.#end(effect.reason);
        return;
      case "told": {
        const { hold, epoch } = effect.grant;
        log.info({ mark: "hold.ended", hold, epoch, reason: effect.reason }, "hold ended");
        this.#say(effect.grant, { state: "ended", reason: effect.reason });
        return;
      }
      default:
        effect satisfies never;
    }
  }

  #begin(): void {
    const request = this.#request;
    if (this.#state.at === "none" || request === undefined) return;
    const { hold, epoch, velocity } = this.#state.grant;
    const { holder, by, replyTo } = request;
    const lease = { holder, epoch };
    const head = { v: 1, id: hold, ts: Date.now(), ttlMs: commandTtlMs, by, replyTo } as const;
    void this.#parts.submit({ ...head, lease, args: { velocity } });
  }

  #end(reason: "released" | "lapsed"): void {
    const { leases, because } = this.#parts;
    const held = leases.held;
    const fault = "STOPPED_SHORT";
    if (reason === "lapsed") {
      const why = { code: "LEASE_LOST", fault, text: "the hold lapsed" } as const;
      because(why, () => leases.apply({ kind: "tick" }));
      return;
    }
    const text = "the button was let go";
    const why = { code: "SUPERSEDED", fault, text, meant: true } as const;
    if (held !== undefined) because(why, () => leases.apply({ kind: "release", ...held }));
  }

  #say({ hold, epoch }: HoldGrant, word: Pick<HoldFeedback, "state" | "nonce" | "reason">): void {
    const { stop, device, boot } = this.#parts;
    // Silence is what the gateway makes of it; the hold lapses by itself.
    if (!stop.connected) return;
    const head = { v: 1, ts: Date.now(), bootId: boot.bootId, hold, epoch } as const;
    stop.publish("holdFeedback", { axis: device }, { ...head, ...word }).catch(() => undefined);
  }
}
