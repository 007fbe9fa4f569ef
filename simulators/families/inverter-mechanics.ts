/**
 * The ramps of a simulated inverter, from its axis and from `simulate`.
 *
 * The idea: all families of inverters read the same keys with the same defaults. It refuses
 * control words.
 */
import type { InverterFacts } from "../behaviours/inverter.js";
import type { SimAxis, Wishes } from "../wishes.js";

const rampUsual = 100;

export function inverterFacts(axis: SimAxis | undefined, wishes: Wishes): InverterFacts {
  const ramp = axis?.accelerationMax ?? rampUsual;
  const rampDown = wishes.number("rampDown", ramp);
  const watchdogMs = wishes.number("watchdogMs", 0);
  return {
    rampUp: wishes.number("rampUp", ramp),
    rampDown,
    rampFast: 3 * rampDown,
    friction: 1.5 * rampDown,
    remote: wishes.flag("remote", true),
    ...(watchdogMs > 0 ? { watchdogMs } : {}),
  };
}
