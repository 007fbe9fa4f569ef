/**
 * What every family of simulated devices offers: which profiles it pretends to be, and how.
 *
 * The idea: device.ts asks the families in turn; a new family is one file beside this one and one
 * line in device.ts. It refuses behaviour (behaviours/ has it).
 */
import type { SimDevice, SimDeviceParts } from "../modbus-device.js";
import type { SimAxis, Wishes } from "../wishes.js";

export interface Family {
  /** Profile ids, whole. */
  readonly profiles: readonly string[];
  /** Builds the device; `axis` is absent where the cell file gives none. */
  make(common: CommonParts, axis: SimAxis | undefined, wishes: Wishes): SimDevice;
}

/** Parts of a device that do not depend on its behaviour. */
export type CommonParts = Omit<SimDeviceParts<never>, "behaviour">;

/** The mechanics of an axis of which the cell file says nothing. */
export const axisAbsent: SimAxis = {
  countsPerRev: 10_000,
  gear: { motor: 1, output: 1 },
  perRev: 5,
  velocityMax: 200,
  accelerationMax: 1000,
};
