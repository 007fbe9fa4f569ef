/**
 * Where a motion without a target has to end: at the end of the axis' travel.
 *
 * The idea: a velocity is checked against the greatest one when it is asked for; where it leads is
 * seen only on the way. It is ended so early that the axis can still come to rest inside, on the
 * cell file's own acceleration. Pure; it refuses to judge an axis that does not know its place.
 */
import type { AxisSetup, DeviceView } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";

/** Polls within which a stop is on its way, the one that showed the position included. */
const pollsToStop = 2;

/** The end that will be reached, in words; undefined: none. */
export function endAhead(
  { position, velocity, homed }: DeviceView,
  axis: AxisSetup | undefined,
  pollPeriodMs: Ms,
): string | undefined {
  const travel = axis?.travel;
  if (axis === undefined || travel === undefined) return undefined;
  if (!position.ok || !velocity.ok || (homed.ok && !homed.value)) return undefined;
  const v = velocity.value;
  if (v === 0) return undefined;
  const ramp = (v * v) / (2 * axis.accelerationMax);
  const runOn = (Math.abs(v) * pollsToStop * pollPeriodMs) / 1000 + ramp;
  const end = v > 0 ? travel.max : travel.min;
  const left = v > 0 ? end - position.value : position.value - end;
  return left > runOn ? undefined : `the end of its travel at ${end} ${axis.unit}`;
}
