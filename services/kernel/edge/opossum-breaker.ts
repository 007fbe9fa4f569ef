/**
 * The circuit breaker of one device: opossum, wrapped once.
 *
 * The idea: consecutive failures open it, so one lost frame after a quiet night never does. A
 * fresh circuit is made at every opening and for every probe that is asked for, so what was
 * under way before belongs to a circuit that nobody looks at any more: it can neither close nor
 * open this one. opossum keeps the time and the single half-open permit. It refuses stops: they
 * never pass through it [PROTOCOL 14].
 *
 * Every call must end by its own deadline: there is no timeout here, because opossum's does not
 * stop the call [prototypes 1.4].
 */
import { EventEmitter } from "node:events";
import CircuitBreaker from "opossum";
import type { Ms } from "#drivers/reading.js";
import { breakerOutcome } from "../breaker-outcome.js";
import { ServocellError } from "../errors.js";
import type { Breaker } from "../ports.js";

type State = Breaker["state"];
type Circuit = CircuitBreaker<[() => Promise<unknown>], unknown>;

/** opossum starts in a given state; its types do not say so. */
type StatedOptions = CircuitBreaker.Options<[() => Promise<unknown>]> & {
  readonly state: {
    readonly enabled: boolean;
    readonly closed: boolean;
    readonly halfOpen: boolean;
  };
};

export interface BreakerOptions {
  /** Named in the refusal. */
  readonly device: string;
  /** Consecutive failures that open it, ≥ 1. */
  readonly failures: number;
  /** Pause before a half-open probe. */
  readonly resetMs: Ms;
}

class OpossumBreaker implements Breaker {
  readonly #options: BreakerOptions;
  readonly #listeners: ((state: State) => void)[] = [];
  #circuit: Circuit;
  #state: State = "closed";
  #failures = 0;
  #probing = false;
  #closed = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#circuit = this.#make("closed");
  }

  get state(): State {
    return this.#state;
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    // After shutdown opossum would run calls unprotected: this guard is ours.
    if (this.#closed || !this.#admits()) throw this.#refusal();
    const circuit = this.#circuit;
    if (circuit.halfOpen) this.#probing = true;
    let out: { readonly value: T } | undefined;
    await circuit.fire(async () => {
      try {
        out = { value: await call() };
      } catch (thrown) {
        this.#failed(circuit, thrown);
        throw thrown;
      }
      if (circuit === this.#circuit) {
        this.#failures = 0;
        this.#probing = false;
      }
    });
    if (out === undefined) throw this.#refusal();
    return out.value;
  }

  probeNow(): void {
    if (this.#closed || !this.#circuit.opened) return;
    this.#replace("half-open");
  }

  onChange(listener: (state: State) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#circuit.shutdown();
  }

  #admits(): boolean {
    return this.#circuit.closed || (this.#circuit.halfOpen && !this.#probing);
  }

  #refusal(): ServocellError {
    const { device } = this.#options;
    return new ServocellError(
      "BREAKER_OPEN",
      `${device} failed repeatedly and is left alone for now; nothing was sent to it.`,
      { device },
    );
  }

  /** Before opossum hears of it. */
  #failed(circuit: Circuit, thrown: unknown): void {
    if (this.#closed || circuit !== this.#circuit) return;
    if (breakerOutcome(thrown) === "neutral") {
      // Nothing was learned of the device: a probe's permit is given back.
      if (circuit.halfOpen) this.#replace("half-open");
      return;
    }
    this.#failures += 1;
    if (circuit.halfOpen || this.#failures >= this.#options.failures) this.#replace("open");
  }

  #replace(state: State): void {
    const old = this.#circuit;
    this.#probing = false;
    this.#circuit = this.#make(state);
    old.shutdown();
    this.#enter(state);
  }

  #enter(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state === "closed") this.#failures = 0;
    for (const listener of this.#listeners) listener(state);
  }

  #make(state: State): Circuit {
    const action = (call: () => Promise<unknown>) => call();
    const options: StatedOptions = {
      name: this.#options.device,
      timeout: false,
      resetTimeout: this.#options.resetMs,
      // Consecutive failures are counted here; opossum's percentages never decide.
      volumeThreshold: Number.MAX_SAFE_INTEGER,
      errorThresholdPercentage: 100,
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
      rollingCountBuckets: 1,
      // A controller that never turns: no timer of the statistics.
      rotateBucketController: new EventEmitter(),
      state: { enabled: true, closed: state === "closed", halfOpen: state === "half-open" },
    };
    const circuit: Circuit = new CircuitBreaker(action, options);
    const now = (to: State) => () => {
      if (circuit === this.#circuit && !this.#closed) this.#enter(to);
    };
    circuit.on("halfOpen", now("half-open"));
    circuit.on("close", now("closed"));
    circuit.on("open", now("open"));
    return circuit;
  }
}

export function openBreaker(options: BreakerOptions): Breaker {
  return new OpossumBreaker(options);
}
