/**
 * Simulated devices of profiles that say themselves how they behave.
 *
 * The idea: the last of the families; whoever has one written by hand never comes here. It refuses
 * profiles without `simulation`.
 */
import type { Profile } from "#drivers/profile.js";
import { declaredAxis, declaredRegisters } from "../behaviours/declared.js";
import { declaredFacts } from "../behaviours/declared-facts.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";

/** The family that a profile declares; undefined: it says nothing. */
export function declaredFamily({ id, simulation }: Profile): Family | undefined {
  if (simulation === undefined) return undefined;
  return {
    profiles: [id],
    make: (common, axis, wishes) => {
      const facts = declaredFacts(common.profile, simulation, axis ?? axisAbsent, wishes);
      return simulation.behaviour === "axis"
        ? modbusDevice({ ...common, behaviour: declaredAxis(facts) })
        : modbusDevice({ ...common, behaviour: declaredRegisters(facts) });
    },
  };
}
