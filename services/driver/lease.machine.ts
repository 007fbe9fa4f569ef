/**
 * The lease of one axis: who may command it, and until when.
 *
 * The idea: the driver issues leases by counting epochs. A number is durable before it is handed
 * out, so an ended epoch can never come back, whatever restarts. The deadline is compared with the
 * clock before anything else is looked at, so the driver's own stall counts as a lapse
 * [PROTOCOL 3]. Pure; it refuses to know messages, storage and devices: those are effects.
 */
import type { Ms } from "#drivers/reading.js";

export type LeaseState =
  /** Nobody may command. `epoch` is the highest number ever handed to the disk. */
  | { readonly at: "none"; readonly epoch: number }
  /** The number is on its way to the disk; nobody may command yet. */
  | {
      readonly at: "granting";
      readonly epoch: number;
      readonly holder: string;
      readonly bootId: string;
      readonly request: string;
      readonly hold?: true;
    }
  /** One holder may command until the deadline. */
  | {
      readonly at: "held";
      readonly epoch: number;
      readonly holder: string;
      readonly bootId: string;
      readonly deadlineMs: Ms;
      /** Hold-to-run: beats do not renew it, only proofs of a finger do [PROTOCOL 16]. */
      readonly hold?: true;
    };

export type LeaseInput =
  | {
      readonly kind: "request";
      readonly request: string;
      readonly holder: string;
      readonly bootId: string;
      readonly hold?: true;
    }
  /** Of a hold: it lives exactly until then. */
  | { readonly kind: "renew"; readonly epoch: number; readonly untilMs: Ms }
  | { readonly kind: "persisted"; readonly epoch: number }
  | { readonly kind: "persistFailed"; readonly epoch: number; readonly code: LeaseRefusal }
  | { readonly kind: "beat"; readonly holder: string; readonly bootId: string }
  | { readonly kind: "tick" }
  | { readonly kind: "release"; readonly holder: string; readonly epoch: number }
  | { readonly kind: "offline"; readonly holder: string; readonly bootId: string }
  | { readonly kind: "stop"; readonly reason: string }
  | { readonly kind: "continuityLost"; readonly reason: string }
  | { readonly kind: "shutdown" };

export type LeaseRefusal =
  | "LEASE_HELD"
  | "LATCHED"
  | "NOT_READY"
  | "SUPERSEDED"
  | "STORE_FULL"
  | "STORE_FAILED";

export type LeaseEffect =
  | { readonly kind: "persistEpoch"; readonly epoch: number }
  | {
      readonly kind: "granted";
      readonly request: string;
      readonly holder: string;
      readonly epoch: number;
    }
  | {
      readonly kind: "refused";
      readonly request: string;
      readonly code: LeaseRefusal;
      readonly text: string;
    }
  | {
      readonly kind: "ended";
      readonly holder: string;
      readonly epoch: number;
      readonly reason: string;
    }
  | { readonly kind: "stopAxis"; readonly reason: string };

/** What the rest of the driver knows at the moment of the input. */
export interface LeaseFacts {
  readonly nowMs: Ms;
  readonly leaseMs: Ms;
  /** A hold lives so long before its first proof. */
  readonly armMs: Ms;
  readonly latched: boolean;
  readonly stopping: boolean;
  /** Read in full since boot, loss or reboot, and the guardian has the stop frames. */
  readonly ready: boolean;
  /** False only when a fresh reading says that the axis stands still. */
  readonly mayMove: boolean;
}

export interface LeaseStep {
  readonly state: LeaseState;
  readonly effects: readonly LeaseEffect[];
}

/** A driver starts without a lease; the epoch comes from its store. */
export function leaseAtBoot(epoch: number): LeaseState {
  return { at: "none", epoch };
}

/** Whether this holder may command with this epoch now; asked before every frame. */
export function leaseLives(state: LeaseState, holder: string, epoch: number, nowMs: Ms): boolean {
  if (state.at !== "held") return false;
  return state.holder === holder && state.epoch === epoch && nowMs < state.deadlineMs;
}

function end(
  state: LeaseState & { at: "held" },
  reason: string,
  mayMove: boolean,
): LeaseStep & { state: { at: "none"; epoch: number } } {
  const ended = { kind: "ended", holder: state.holder, epoch: state.epoch, reason } as const;
  const stop = mayMove ? [{ kind: "stopAxis", reason } as const] : [];
  // The axis first: whoever hears that the lease has ended may count on the stop being out.
  return { state: { at: "none", epoch: state.epoch }, effects: [...stop, ended] };
}

/** False: nothing comes of the input now, whatever the facts are. */
export function leaseHeeds(state: LeaseState, input: LeaseInput, nowMs: Ms): boolean {
  if (state.at === "none") return input.kind === "request";
  if (input.kind !== "tick") return true;
  return state.at === "held" && nowMs >= state.deadlineMs;
}

/** Undefined: the input changes nothing. */
export function nextLease(
  state: LeaseState,
  input: LeaseInput,
  facts: LeaseFacts,
): LeaseStep | undefined {
  // Before anything else [PROTOCOL 3]: a beat that waited in the socket cannot renew.
  if (state.at === "held" && facts.nowMs >= state.deadlineMs) {
    const lapse = end(state, "lapsed", facts.mayMove);
    // The stop that the lapse has just ordered forbids a new lease until it is confirmed.
    const after = { ...facts, stopping: facts.stopping || facts.mayMove };
    const rest = dispatch(lapse.state, input, after);
    if (rest === undefined) return lapse;
    return { state: rest.state, effects: [...lapse.effects, ...rest.effects] };
  }
  return dispatch(state, input, facts);
}

function dispatch(state: LeaseState, input: LeaseInput, facts: LeaseFacts): LeaseStep | undefined {
  switch (state.at) {
    case "none":
      return input.kind === "request" ? request(state.epoch, input, facts) : undefined;
    case "granting":
      return whileGranting(state, input, facts);
    case "held":
      return whileHeld(state, input, facts);
    default:
      return state satisfies never;
  }
}

function request(
  epoch: number,
  input: LeaseInput & { kind: "request" },
  facts: LeaseFacts,
): LeaseStep {
  const refused = (code: LeaseRefusal, text: string): LeaseStep => ({
    state: { at: "none", epoch },
    effects: [{ kind: "refused", request: input.request, code, text }],
  });
  if (facts.latched) return refused("LATCHED", "a stop is latched, or not yet known not to be");
  if (facts.stopping) return refused("NOT_READY", "the axis is being stopped; ask again");
  if (!facts.ready) return refused("NOT_READY", "the device has not been read in full yet");
  const { holder, bootId, request: id } = input;
  const hold = input.hold === true ? ({ hold: true } as const) : {};
  return {
    state: { at: "granting", epoch: epoch + 1, holder, bootId, request: id, ...hold },
    effects: [{ kind: "persistEpoch", epoch: epoch + 1 }],
  };
}

/** A grant that something overtook: the number is burnt, nobody ever held it. */
function overtaken(
  state: LeaseState & { at: "granting" },
  code: LeaseRefusal,
  text: string,
): LeaseStep {
  return {
    state: { at: "none", epoch: state.epoch },
    effects: [{ kind: "refused", request: state.request, code, text }],
  };
}

function whileGranting(
  state: LeaseState & { at: "granting" },
  input: LeaseInput,
  facts: LeaseFacts,
): LeaseStep | undefined {
  switch (input.kind) {
    case "request": {
      if (input.request === state.request) return undefined;
      if (input.holder !== state.holder) return heldByOther(state, input.request);
      const old = overtaken(state, "SUPERSEDED", "the same holder asked again");
      const again = request(state.epoch, input, facts);
      return { state: again.state, effects: [...old.effects, ...again.effects] };
    }
    case "persisted": {
      if (input.epoch !== state.epoch) return undefined;
      const { holder, bootId, epoch } = state;
      const hold = state.hold === true ? ({ hold: true } as const) : {};
      const deadlineMs = facts.nowMs + (state.hold === true ? facts.armMs : facts.leaseMs);
      return {
        state: { at: "held", epoch, holder, bootId, deadlineMs, ...hold },
        effects: [{ kind: "granted", request: state.request, holder, epoch }],
      };
    }
    case "persistFailed":
      if (input.epoch !== state.epoch) return undefined;
      return overtaken(state, input.code, "the new epoch could not be stored");
    case "release":
      if (input.holder !== state.holder || input.epoch !== state.epoch) return undefined;
      return overtaken(state, "SUPERSEDED", "released before it was granted");
    case "offline":
      if (input.holder !== state.holder || input.bootId !== state.bootId) return undefined;
      return overtaken(state, "SUPERSEDED", "the holder went offline");
    case "stop":
    case "continuityLost":
      return overtaken(state, "NOT_READY", input.reason);
    case "shutdown":
      return overtaken(state, "NOT_READY", "the driver is shutting down");
    case "beat":
    case "renew":
    case "tick":
      return undefined;
    default:
      return input satisfies never;
  }
}

function heldByOther(state: LeaseState & { holder: string }, request: string): LeaseStep {
  const text = `${state.holder} has the lease, epoch ${state.epoch}`;
  return { state, effects: [{ kind: "refused", request, code: "LEASE_HELD", text }] };
}

function whileHeld(
  state: LeaseState & { at: "held" },
  input: LeaseInput,
  facts: LeaseFacts,
): LeaseStep | undefined {
  switch (input.kind) {
    case "request": {
      if (input.holder !== state.holder) return heldByOther(state, input.request);
      // Whatever its bootId: a holder that asks again fences everything it sent before.
      const old = end(state, "superseded", facts.mayMove);
      const stopping = facts.stopping || facts.mayMove;
      const again = request(state.epoch, input, { ...facts, stopping });
      return { state: again.state, effects: [...old.effects, ...again.effects] };
    }
    case "beat":
      if (input.holder !== state.holder || input.bootId !== state.bootId) return undefined;
      if (state.hold === true) return undefined;
      return { state: { ...state, deadlineMs: facts.nowMs + facts.leaseMs }, effects: [] };
    case "renew":
      if (state.hold !== true || input.epoch !== state.epoch) return undefined;
      return { state: { ...state, deadlineMs: input.untilMs }, effects: [] };
    case "release":
      if (input.holder !== state.holder || input.epoch !== state.epoch) return undefined;
      return end(state, "released", facts.mayMove);
    case "offline":
      // A will of an older start says nothing about this one.
      if (input.holder !== state.holder || input.bootId !== state.bootId) return undefined;
      return end(state, "holder-offline", facts.mayMove);
    case "stop":
      // The stop itself has already sent its frames.
      return end(state, input.reason, false);
    case "continuityLost":
      return end(state, input.reason, facts.mayMove);
    case "shutdown":
      return end(state, "shutdown", facts.mayMove);
    case "persisted":
    case "persistFailed":
    case "tick":
      return undefined;
    default:
      return input satisfies never;
  }
}
