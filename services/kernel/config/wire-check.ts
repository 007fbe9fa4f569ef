/**
 * Refuses a cell whose polls do not fit on a bus.
 *
 * The idea: a plan that takes more than the bus has would come late everywhere, and a late poll
 * ends leases; so it is refused before anything starts, at the device that takes most, with its
 * dearest request and what would help (ST-07). It refuses nothing where a bridge hides the speed
 * of its line: there it warns.
 */
import type { DeviceConfig } from "./cell.js";
import type { FileReader } from "./file-reader.js";
import type { BusPlan, PlannedRequest } from "./wire-plan.js";

/** Share of a bus from which commands find little room between the polls. */
export const useWarned = 0.9;

export function checkWirePlans(
  read: FileReader,
  plans: readonly BusPlan[],
  devices: readonly DeviceConfig[],
): void {
  for (const plan of plans) {
    const worst = heaviest(plan);
    if (worst === undefined || plan.use <= useWarned) continue;
    const device = devices.find(({ id }) => id === worst.device);
    if (device === undefined) continue;
    const refused = plan.use > 1 && !plan.assumed;
    const speed = plan.line === undefined ? "" : ` at ${plan.line.baud} baud`;
    const guess = plan.assumed ? ", if its line runs so" : "";
    const share = `${Math.round(plan.use * 100)} % of bus ${plan.bus}${speed}${guess}`;
    const what = `the polls take ${share}; ${requestText(worst)} costs most`;
    const own = ["devices", worst.device];
    const given = read.raw([...own, "poll", worst.group]) !== undefined;
    const path = given ? [...own, "poll", worst.group] : own;
    read.problems.at(path, what, {
      severity: refused ? "error" : "warning",
      key: !given,
      suggestion: remedy(plan, device, worst),
    });
  }
}

/** The request that takes the greatest share of the bus. */
export function heaviest(plan: BusPlan): PlannedRequest | undefined {
  const share = ({ costMs, everyMs }: PlannedRequest) => costMs / everyMs;
  return plan.requests.reduce<PlannedRequest | undefined>((most, one) => {
    return most === undefined || share(one) > share(most) ? one : most;
  }, undefined);
}

/** `x reads statusWord, position (fc 3, 0x6041, 2 words) every 20 ms, 14.2 ms each`. */
function requestText({ device, request, costMs, everyMs }: PlannedRequest): string {
  const { fc, address, count, points } = request;
  const shown = points.length > 3 ? [...points.slice(0, 3), "…"] : points;
  const where = `fc ${fc}, 0x${address.toString(16).padStart(4, "0")}, ${count}`;
  return `${device}: ${shown.join(", ")} (${where}) every ${everyMs} ms, ${costMs.toFixed(1)} ms each`;
}

function remedy(plan: BusPlan, device: DeviceConfig, worst: PlannedRequest): string {
  const of = (group: "fast" | "slow") => plan.requests.filter((one) => one.group === group);
  const slow = of("slow").reduce((sum, { costMs, everyMs }) => sum + costMs / everyMs, 0);
  const baud = plan.line === undefined ? "fewer devices on it" : "a higher baud rate";
  const requests = of(worst.group).filter((one) => one.device === worst.device).length;
  const hole = `a greater hole in ${device.profile.id}, which needs ${requests} requests`;
  const other = requests > 1 ? `${baud}, or ${hole}` : baud;
  if (slow >= useWarned) return `a longer poll.slow at every device of ${plan.bus}, or ${other}`;
  // All devices at one pace, with room for commands left.
  const periodMs = Math.ceil(plan.cycleMs / (useWarned - slow) / 5) * 5;
  return `poll: { fast: ${periodMs} ms } at every device of ${plan.bus}, or ${other}`;
}
