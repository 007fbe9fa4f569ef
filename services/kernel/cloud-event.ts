/**
 * Makes the event records of the product (CloudEvents 1.0, structured JSON).
 *
 * The idea: one place fills the envelope, so that `type` and `subject` always agree with the
 * topic `event/{kind}/{id}/{type}`. It refuses to publish: events leave through an outbox.
 */
import type { Detail } from "#drivers/reading.js";
import type { CloudEvent } from "./contract/payloads.js";
import type { NewId } from "./ports.js";

export type EventKind = "axis" | "device" | "run" | "cell";

export interface EventFacts {
  readonly kind: EventKind;
  /** The axis, device, run or cell it is about. */
  readonly id: string;
  /** Without the kind: `lease.ended`, `started`. */
  readonly type: string;
  /** The service that says it. */
  readonly source: string;
  readonly newId: NewId;
  readonly data: Detail;
}

export function makeEvent({ kind, id, type, source, newId, data }: EventFacts): CloudEvent {
  return {
    specversion: "1.0",
    id: newId(),
    source,
    type: `${kind}.${type}`,
    subject: `${kind}/${id}`,
    time: new Date(Date.now()).toISOString(),
    datacontenttype: "application/json",
    data,
  };
}

/** The levels of the topic an event belongs on. */
export function eventLevels(event: CloudEvent): { kind: string; id: string; type: string } {
  const slash = event.subject.indexOf("/");
  const kind = event.subject.slice(0, slash);
  const id = event.subject.slice(slash + 1);
  return { kind, id, type: event.type.slice(kind.length + 1) };
}
