/**
 * Which events are meant: `axis.x.lease.ended`, `run.*.completed`.
 *
 * The idea: an event belongs to a topic, event/{kind}/{id}/{type}, and a filter is written as its
 * three parts with points between; `*` stands for any id. It refuses kinds that nobody sends, and
 * devices that the cell does not have.
 */
import { nearest, suggestion } from "#drivers/yaml-schema.js";
import { eventTypes } from "../contract/event-types.js";
import type { EventFilter } from "./saga.js";

export type ParsedFilter =
  /** `doubt`: its type is none that Servocell sends, but much like one. */
  | { readonly ok: true; readonly filter: Omit<EventFilter, "where">; readonly doubt?: string }
  | { readonly ok: false; readonly problem: string; readonly suggestion?: string };

const kinds: readonly string[] = Object.keys(eventTypes);
const pattern = /^(?<kind>[a-z]+)\.(?<id>\*|[a-z0-9][a-z0-9_-]*)\.(?<type>[a-z][A-Za-z.-]*)$/;

/** `devices`: of the cell; an event about another axis or device never comes. */
export function parseEventFilter(text: string, devices: readonly string[]): ParsedFilter {
  const { kind, id, type } = pattern.exec(text.trim())?.groups ?? {};
  if (kind === undefined || id === undefined || type === undefined) {
    const problem = `"${text}" is no event; write kind.id.type, such as axis.x.lease.ended`;
    return { ok: false, problem, suggestion: "write * for any id, such as run.*.ended" };
  }
  if (!kinds.includes(kind)) {
    return refused(`there are no events of kind ${kind}`, suggestion(kind, kinds));
  }
  const isDevice = kind === "axis" || kind === "device";
  if (isDevice && id !== "*" && !devices.includes(id)) {
    return refused(`there is no device ${id}`, suggestion(id, devices));
  }
  const filter = { kind, type, ...(id === "*" ? {} : { id }) };
  const doubt = doubtOf(kind, type);
  return { ok: true, filter, ...(doubt === undefined ? {} : { doubt }) };
}

/** Others may send events of their own types, so only what is like a known one is told. */
function doubtOf(kind: string, type: string): string | undefined {
  const known = kinds.includes(kind) ? eventTypes[kind as keyof typeof eventTypes] : [];
  const near = known.includes(type) ? undefined : nearest(type, known);
  return near === undefined ? undefined : `did you mean ${near}?`;
}

function refused(problem: string, hint: string | undefined): ParsedFilter {
  return { ok: false, problem, ...(hint === undefined ? {} : { suggestion: hint }) };
}
