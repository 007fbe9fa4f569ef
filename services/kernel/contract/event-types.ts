/**
 * The types of the events that Servocell itself sends, by what they are about.
 *
 * The idea: a saga or a rule that waits for a misspelt event waits for ever, so what is sent is
 * listed once, and a test compares the list with the code that sends. It refuses nothing: whoever
 * is on the bus may send events of types of their own.
 */
import type { EventKind } from "../cloud-event.js";

export const eventTypes: { readonly [K in EventKind]: readonly string[] } = {
  axis: [
    "command.accepted",
    "command.ended",
    "fault",
    "hold.granted",
    "hold.ended",
    "lease.granted",
    "lease.ended",
    "stop.began",
    "stop.confirmed",
    "stop.unconfirmed",
  ],
  device: [
    "breaker.opened",
    "breaker.half-open",
    "breaker.closed",
    "link.up",
    "link.down",
    "rebooted",
    "outbox.overflowed",
    "outbox.recovered",
  ],
  run: [
    "started",
    "ended",
    "stopping",
    "held",
    "unheld",
    "missing",
    "resumed",
    "chosen",
    "asked",
    "answered",
    "signalled",
    "step.started",
    "step.ended",
    "step.retried",
    "safe.started",
    "safe.ended",
  ],
  cell: [
    "state.changed",
    "mode.changed",
    "stops.reset",
    "device.excluded",
    "device.included",
    "rule.refused",
    "zone.stopped",
    "outbox.overflowed",
    "outbox.recovered",
  ],
};
