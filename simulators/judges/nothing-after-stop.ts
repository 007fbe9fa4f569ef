/**
 * The judge of silence: after a stop nothing starts until a newer lease is granted.
 *
 * The idea: the driver hands over no write on its command lane from the moment when it has the
 * order, and no trigger reaches the device, but for what was on the wire at that moment. It
 * refuses to ask how the stop went; stop-begins does.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { outagesOf } from "./outages.js";
import { sortedFrames } from "./sorted-frames.js";
import { exchangeMsOf, isRead, ms } from "./timeline.js";
import type { LineOf, TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

export const nothingAfterStop: Judge = {
  name: "nothing-after-stop",
  promise: "After a stop no command leaves and no trigger arrives until a newer lease is granted.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const stopped = new Map<string, LineOf<"stopDelivered">>();
    /** From when on nothing may arrive: what had left when the first stop came is there. */
    const quiet = new Map<string, { readonly at: number; readonly from: number }>();
    const devices = new Map(facts.devices.map((device) => [device.id, device]));
    const frames = sortedFrames(trace, facts);
    const outages = outagesOf(trace, facts);
    const found: Found[] = [];
    const say = (line: { at: number; device: string }, what: string, stop: { at: number }) => {
      const text = `${line.device}: ${what} after the stop of ${ms(stop.at)}`;
      found.push({ at: line.at, device: line.device, text });
    };
    for (const line of trace) {
      if (line.kind === "stopDelivered") {
        stopped.set(line.device, line);
        const device = devices.get(line.device);
        if (device === undefined || quiet.has(device.id)) continue;
        const from = outages.deadline(device, "bus", line.at, exchangeMsOf(facts));
        quiet.set(device.id, { at: line.at, from });
      } else if (line.kind === "lease" && line.change === "granted") {
        stopped.delete(line.device);
        quiet.delete(line.device);
      } else if (line.kind === "handed" && line.lane === "command" && !isRead(line.pdu)) {
        const stop = stopped.get(line.device);
        // Another start of the driver knows the stop only from its latch, and has no lease.
        if (stop?.boot === line.boot) say(line, `${line.pdu} was handed over`, stop);
      } else if (line.kind === "frame") {
        const stop = quiet.get(line.device);
        if (stop === undefined || line.at <= stop.from) continue;
        const isTrigger = frames.get(line.device)?.isTrigger(line.pdu) === true;
        if (isTrigger) say(line, `${line.pdu} arrived`, stop);
      }
    }
    return found;
  },
};
