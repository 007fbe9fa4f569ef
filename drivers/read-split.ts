/**
 * A read that the device refuses because of a hole in it, made into two that leave the hole out.
 *
 * The idea: the span of a read covers registers that nobody asked for; where the device has none
 * there, it refuses all of them (exception 2). Split at the widest gap between two points, and
 * where there is none in the middle, the rest is read as before (BR-01). A point is never cut,
 * and one that is read alone stays alone. Pure. It refuses to split a single point.
 */
import type { ReadRequest } from "./device-model.js";
import { readRequest } from "./pdu.js";
import type { Profile } from "./profile.js";
import { pointSpan } from "./profile.js";

interface Span {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Two reads of the same points; undefined: there is nothing to leave out or to part. */
export function splitRead(
  profile: Profile,
  request: ReadRequest,
): readonly [ReadRequest, ReadRequest] | undefined {
  const spans = request.points
    .flatMap((name) => {
      const point = profile.points[name];
      if (point?.read === undefined) return [];
      const from = point.read.address;
      return [{ name, from, to: from + pointSpan(point, "read") - 1 }];
    })
    .sort((a, b) => a.from - b.from || a.to - b.to);
  let cut: { readonly at: number; readonly gap: number; readonly off: number } | undefined;
  let end = spans[0]?.to ?? 0;
  for (const [at, { from, to }] of spans.entries()) {
    const gap = from - end - 1;
    // Points that share a word are not parted; among equal gaps the one in the middle is taken.
    const off = Math.abs(2 * at - spans.length);
    const wider = cut === undefined || gap > cut.gap || (gap === cut.gap && off < cut.off);
    if (at > 0 && gap >= 0 && wider) cut = { at, gap, off };
    end = Math.max(end, to);
  }
  if (cut === undefined) return undefined;
  const { fc } = request;
  return [requestOf(fc, spans.slice(0, cut.at)), requestOf(fc, spans.slice(cut.at))];
}

function requestOf(fc: ReadRequest["fc"], spans: readonly Span[]): ReadRequest {
  const address = Math.min(...spans.map((one) => one.from));
  const count = Math.max(...spans.map((one) => one.to)) - address + 1;
  const points = spans.map((one) => one.name);
  return { fc, address, count, points, pdu: readRequest(fc, address, count) };
}
