/**
 * Requests that are no operations: lease, release, query, reset of latched stops.
 *
 * The idea: each is answered at once from what the machines say; a lease is answered when its
 * epoch is on the disk, and a repeated lease request gets the answer it had. It refuses a lease
 * request that has outlived its ttl: nobody waits for it any more.
 */
import type { Command } from "#kernel/contract/payloads.js";
import type { CommandRunner } from "./command-runner.js";
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
}

interface LeaseRequest {
  readonly to: Addressee;
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
    this.#leases.set(command.id, { to, outcome: undefined });
    const oldest = this.#leases.keys().next().value;
    if (this.#leases.size > rememberedMax && oldest !== undefined) this.#leases.delete(oldest);
    leases.apply({ kind: "request", request: command.id, holder, bootId });
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
