/**
 * How long each stop class may take on an axis before the next one is tried [PROTOCOL 7].
 *
 * The idea: the ramp from the present velocity, with a margin, under a ceiling of each class. Pure;
 * it refuses to know what the classes do.
 */
import type { AxisSetup, DeviceView } from "#drivers/device-model.js";
import type { StopRules } from "./stop-state.js";

/** Beyond the ramp itself, and the ceilings. */
const rampMarginMs = 1000;
const controlledMsMax = 5000;
const fastMsMax = 3000;
/** In place of the ramp of a device without an axis. */
const noRampMs = 2000;

export function stopBounds(
  axis: AxisSetup | undefined,
  { velocity: read }: DeviceView,
): StopRules["boundMs"] {
  const velocity = read.ok ? Math.abs(read.value) : (axis?.velocityMax ?? 0);
  const rampMs = axis === undefined ? noRampMs : (1000 * velocity) / axis.accelerationMax;
  const boundMs = rampMs + rampMarginMs;
  const controlled = Math.min(controlledMsMax, boundMs);
  const fast = Math.min(fastMsMax, boundMs);
  return { controlled, fast, coast: controlledMsMax, disable: rampMarginMs };
}
