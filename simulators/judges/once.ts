/**
 * The judge of repetition: no command takes effect twice.
 *
 * The idea: every trigger that a device took needs a command of its own, published and not yet
 * settled; and an id means one thing for ever. It refuses to count triggers that the device
 * refused or never got.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { linesOf, type TraceLine } from "./trace.js";
import { triggerBook } from "./triggers.js";

type Found = Omit<Finding, "judge">;

export const once: Judge = {
  name: "once",
  promise: "No command takes effect twice, and no command id has two meanings.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const found: Found[] = triggerBook(trace, facts).orphans.map(({ at, device, pdu }) => {
      return { at, device, text: `${device} took ${pdu}, and no open command is left to send it` };
    });
    const bodies = new Map<string, string>();
    for (const { at, id, device, body } of linesOf(trace, "command")) {
      const meaning = `${device} ${body}`;
      const known = bodies.get(id) ?? meaning;
      bodies.set(id, known);
      if (known === meaning) continue;
      found.push({ at, device, text: `command ${id} is ${meaning}, and was ${known}` });
    }
    return found;
  },
};
