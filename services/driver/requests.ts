/**
 * Requests that are no operations: lease, release, query, reset of latched stops.
 *
 * The idea: each is answered at once from what the machines say; a lease is answered when its
 * epoch is on the disk, and a repeated lease request gets the answer it had. It refuses a lease
 * request that has outlived its ttl: nobody waits for it any more.
 */
import type { Command } from "#kernel/contract/payloads.js";
import type { CommandRunner } from "./command-runner.js";
import { holdRequestOf } from "./hold-request.js";
import type { HoldRequest, Holds } from "./holds.js";
import type { LeaseAnswer, LeaseRunner } from "./lease-runner.js";
import type { Addressee, Responder } from "./responder.js";
import type { StopRunner } from "./stop-runner.js";

/** Lease requests whose answers are remembered or still due, at most. */
const rememberedMax = 64;

export interface RequestParts {
  readonly responder: Responder;
  readonly leases: LeaseRunner;
  readonly stops: StopRunner;
  readonly commands: CommandRunner;
  readonly holds: Holds;
}

interface LeaseRequest {
  readonly to: Addressee;
  readonly hold: HoldRequest | undefined;
  outcome: LeaseAnswer["outcome"] | undefined;
}

export class Requests {
  readonly #parts: RequestParts;
  readonly #leases = new Map<string, LeaseRequest>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** True when the verb is one of these. */
  handle(verb: string, command: Command): boolean {
    switch (verb) {
      case "lease":
        this.#lease(command);
        return true;
      case "release-lease":
        this.#release(command);
        return true;
      case "query":
        this.#query(command);
        return true;
      case "reset":
        this.#reset(command);
        return true;
      default:
        return false;
    }
  }

  /** What the lease machine decided about a request. */
  answer({ request, outcome }: LeaseAnswer): void {
    const known = this.#leases.get(request);
    if (known === undefined) return;
    known.outcome = outcome;
    this.#tell(known.to, outcome);
    if (outcome.ok && known.hold !== undefined) {
      this.#parts.holds.granted(known.hold, outcome.epoch);
    }
  }

  #tell(to: Addressee, outcome: LeaseAnswer["outcome"]): void {
    const { responder } = this.#parts;
    if (outcome.ok) responder.result(to, { epoch: outcome.epoch, leaseMs: outcome.leaseMs });
    else responder.error(to, outcome.code, outcome.text);
  }

  #lease(command: Command): void {
    const { responder, leases } = this.#parts;
    const to = { id: command.id, replyTo: command.replyTo };
    const known = this.#leases.get(command.id);
    if (known !== undefined) {
      if (known.outcome !== undefined) this.#tell(to, known.outcome);
      return;
    }
    if (Date.now() - command.ts > command.ttlMs) {
      responder.error(to, "EXPIRED", `the lease request is older than ${command.ttlMs} ms`);
      return;
    }
    const { holder, bootId } = command.args;
    if (typeof holder !== "string" || typeof bootId !== "string") {
      responder.error(to, "VALIDATION_FAILED", "lease needs args holder and bootId");
      return;
    }
    const asksHold = command.args.kind === "hold";
    const hold = asksHold ? holdRequestOf(command) : undefined;
    if (asksHold && !this.#mayHold(to, command, hold)) return;
    this.#leases.set(command.id, { to, hold, outcome: undefined });
    const oldest = this.#leases.keys().next().value;
    if (this.#leases.size > rememberedMax && oldest !== undefined) this.#leases.delete(oldest);
    const kind = hold === undefined ? {} : ({ hold: true } as const);
    leases.apply({ kind: "request", request: command.id, holder, bootId, ...kind });
  }

  /** A press is refused with its reason at once, not after the first echo. */
  #mayHold(to: Addressee, command: Command, hold: HoldRequest | undefined): boolean {
    const { responder, commands } = this.#parts;
    if (hold === undefined) {
      const text = "a hold needs args hold, velocity, granter and granterBootId";
      responder.error(to, "VALIDATION_FAILED", text);
      return false;
    }
    if (commands.lookUp(hold.hold) !== undefined) {
      // Its motion would be taken for a repeat, and never begin while the button is held.
      responder.error(to, "DUPLICATE_ID", `id ${hold.hold} was used for another command`);
      return false;
    }
    const { velocity, bypass } = hold;
    const refusal = commands.wouldRefuse("jog", { ...command, args: { velocity } }, bypass);
    if (refusal === undefined) return true;
    responder.verdict(to, refusal);
    return false;
  }

  #release(command: Command): void {
    const { responder, leases } = this.#parts;
    if (command.lease === undefined) {
      responder.error(command, "LEASE_REQUIRED", "release-lease names no lease");
      return;
    }
    leases.apply({ kind: "release", ...command.lease });
    responder.result(command, {});
  }

  #query(command: Command): void {
    const { responder, commands } = this.#parts;
    const { id } = command.args;
    if (typeof id !== "string") {
      responder.error(command, "VALIDATION_FAILED", "query needs the id of a command");
      return;
    }
    const found = commands.lookUp(id);
    if (found === undefined) {
      responder.result(command, { known: false });
      return;
    }
    const { status, verdict } = found;
    responder.result(command, {
      known: true,
      status,
      ...(verdict === undefined ? {} : { verdict: { ...verdict } }),
    });
  }

  #reset(command: Command): void {
    const { responder, stops } = this.#parts;
    const { stops: given } = command.args;
    const ids = Array.isArray(given) ? given.filter((id) => typeof id === "string") : [];
    if (!Array.isArray(given) || ids.length !== given.length) {
      responder.error(command, "VALIDATION_FAILED", "reset needs the ids of the stops it names");
      return;
    }
    stops.reset(ids);
    responder.result(command, { latched: [...stops.latches] });
  }
}
