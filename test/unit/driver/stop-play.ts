/**
 * The stop machine played: inputs with their times go in, what is sent and said comes out.
 *
 * The idea: one axis that falls without power, with every class; a test changes what it needs.
 * It refuses to judge: the tests that play it do.
 */
import { nextStop } from "../../../services/driver/stop.machine.js";
import {
  type StopInput,
  type StopRules,
  type StopState,
  stopAtBoot,
} from "../../../services/driver/stop-state.js";

export const rules: StopRules = {
  nowMs: 10_000,
  classes: new Set(["controlled", "fast", "disable"]),
  whenOff: "falls",
  boundMs: { controlled: 3000, fast: 2000, coast: 5000, disable: 1000 },
  still: false,
  stands: false,
  begun: false,
};
export const bare: StopState = {
  ...stopAtBoot([], ["old"]),
  ...{ seen: true, generation: 5, attempts: 1, resetAtMs: new Map([["old", 9500]]) },
};

type Order = StopInput & { readonly kind: "order" };
export const order = (id: string, change: Partial<Order> = {}): Order => ({
  ...{ kind: "order", id, stop: "stop", latch: true, reason: "stop", answer: true },
  ...change,
});

/** Plays inputs with their times; returns what was sent and said. */
export function play(
  state: StopState,
  steps: readonly (readonly [number, StopInput])[],
  change = {},
) {
  let now = state;
  const said: string[] = [];
  for (const [nowMs, input] of steps) {
    const step = nextStop(now, input, { ...rules, ...change, nowMs });
    if (step === undefined) continue;
    now = step.state;
    for (const effect of step.effects) {
      if (effect.kind === "send") said.push(`${nowMs} ${effect.stopClass}`);
      if (effect.kind === "ack" && effect.status !== "received") said.push(effect.status);
    }
  }
  return { state: now, said };
}
export const tick: StopInput = { kind: "tick" };

/** Readings of a standstill, each sent and come at its time. */
export const stills = (...times: number[]): (readonly [number, StopInput])[] => {
  return times.map((ms) => [ms, { kind: "reading", sentAtMs: ms, still: true }]);
};
