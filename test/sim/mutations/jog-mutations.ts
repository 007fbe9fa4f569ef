/**
 * Hold-to-run that is broken: drivers that take anything for a finger, and a gateway that is one.
 *
 * The idea: what a hold rests on is the way of a nonce to a person and back, so each cuts that way
 * short somewhere. It refuses to press anything itself.
 */
import { Holds } from "../../../services/driver/holds.js";
import { LeaseRunner } from "../../../services/driver/lease-runner.js";
import type { Mutation } from "./mutation.js";
import { onPublish, replaceMethod, type Said, type Undo } from "./patches.js";

/** The gateway echoes for its client, which has nothing to echo any more. */
function eagerGateway(): Undo {
  let beat: Said | undefined;
  return onPublish((said) => {
    const { key, payload, go } = said;
    if (key === "holdBeat" && payload.nonce !== undefined) beat = said;
    if (key !== "holdFeedback" || payload.nonce === undefined) return undefined;
    void beat?.go({ ...beat.payload, nonce: payload.nonce });
    return go();
  });
}

/** A driver that takes its own word for an echo. */
function fingerlessDriver(): Undo {
  return replaceMethod(Holds.prototype, "granted", (original) => {
    return function granted(this: Holds, request, epoch) {
      let nonce: string | undefined;
      const undo = onPublish(({ key, payload }) => {
        if (key === "holdFeedback") nonce = String(payload.nonce);
        return undefined;
      });
      original.call(this, request, epoch);
      undo();
      if (nonce !== undefined) this.heard({ v: 1, hold: request.hold, epoch, nonce, ttlMs: 200 });
    };
  });
}

/** A driver gives the finger another second. */
function generousDriver(): Undo {
  return replaceMethod(LeaseRunner.prototype, "apply", (original) => {
    return function apply(this: LeaseRunner, input) {
      const more = input.kind === "renew" ? { ...input, untilMs: input.untilMs + 1000 } : input;
      original.call(this, more);
    };
  });
}

export const jogMutations: readonly Mutation[] = [
  {
    breaks: "a gateway echoes nonces that its client has not echoed",
    caughtBy: "hold-to-run",
    story: "numb",
    apply: eagerGateway,
  },
  {
    breaks: "a driver begins a jog before anybody has proved to press",
    caughtBy: "hold-to-run",
    story: "numb",
    apply: fingerlessDriver,
  },
  {
    breaks: "a driver lets a hold live a second longer than it was proved",
    caughtBy: "hold-to-run",
    story: "numb",
    apply: generousDriver,
  },
];
