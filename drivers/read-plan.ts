/**
 * Which requests read these points: as few as the device's limits allow.
 *
 * The idea: points of one area that touch, or lie no further apart than the profile's hole, share
 * a request; a block never passes the profile's maximum, and a hole is never bridged where the
 * profile does not say that it may be. It refuses points that cannot be read.
 */
import type { ReadRequest } from "./device-model.js";
import { readRequest } from "./pdu.js";
import type { PointSpec, Profile } from "./profile.js";
import { pointSpan } from "./profile.js";
import type { Ms } from "./reading.js";
import {
  dataBytes,
  frameMs,
  frameMsMax,
  type LineSpeed,
  readReplyBytes,
  readRequestBytes,
  silenceMs,
  turnaroundMsDefault,
} from "./wire-time.js";

interface Stretch {
  readonly name: string;
  readonly fc: 1 | 2 | 3 | 4;
  readonly from: number;
  readonly to: number;
  readonly alone: boolean;
}

function stretchOf(name: string, point: PointSpec, profile: Profile): Stretch | undefined {
  if (point.read === undefined) return undefined;
  const { fc, address } = point.read;
  const alone =
    profile.transport.limits.neverMerge?.includes(name) === true || point.read.clears === true;
  return { name, fc, from: address, to: address + pointSpan(point, "read") - 1, alone };
}

/**
 * Requests for the named points, in order of function code and address.
 * On a known line a hole is read only where that costs less than another request would.
 */
export function planReads(
  profile: Profile,
  names: readonly string[],
  wire?: LineSpeed,
): readonly ReadRequest[] {
  const stretches = [...new Set(names)]
    .flatMap((name) => {
      const point = profile.points[name];
      const found = point === undefined ? undefined : stretchOf(name, point, profile);
      return found === undefined ? [] : [found];
    })
    .sort((a, b) => a.fc - b.fc || a.from - b.from || a.to - b.to);
  const fits = fitting(profile, wire);
  const groups: Stretch[][] = [];
  for (const next of stretches) {
    const group = groups.at(-1);
    const first = group?.[0];
    const end = Math.max(-1, ...(group ?? []).map((one) => one.to));
    const joins =
      group !== undefined &&
      first !== undefined &&
      first.fc === next.fc &&
      !first.alone &&
      !next.alone &&
      fits(next, { hole: next.from - end - 1, count: Math.max(end, next.to) - first.from + 1 });
    if (joins) group.push(next);
    else groups.push([next]);
  }
  return groups.map(requestOf);
}

/** Whether a request may be grown to `count` by reading over `hole`. */
function fitting(profile: Profile, wire: LineSpeed | undefined) {
  const { hole, readRegisters, readBits, frameBytes } = profile.transport.limits;
  const most = (fc: number) => (fc <= 2 ? (readBits ?? readRegisters) : readRegisters);
  const request = wire === undefined ? 0 : requestMs(profile, wire);
  return ({ fc }: Stretch, grown: { readonly hole: number; readonly count: number }): boolean => {
    const bytes = readReplyBytes + dataBytes(fc, grown.count);
    if (grown.hole > hole || grown.count > most(fc) || bytes > (frameBytes ?? bytes)) return false;
    if (wire === undefined || grown.hole < 0) return true;
    const bridge = frameMs(wire, dataBytes(fc, grown.hole));
    return bridge <= request && frameMs(wire, bytes) <= frameMsMax;
  };
}

/** What one more request costs beside the data that it brings. */
function requestMs({ transport }: Profile, wire: LineSpeed): Ms {
  const { silenceBeforeMs, silenceAfterMs, replyMs, byBaud } = transport.timing;
  const own = byBaud?.[String(wire.baud)]?.silenceMs ?? 0;
  const silence = Math.max(silenceMs(wire), silenceBeforeMs ?? 0, silenceAfterMs ?? 0, own);
  const frames = frameMs(wire, readRequestBytes + readReplyBytes);
  // The request waits out one silence, and ends with one before its reply or in the reply's time.
  return frames + 2 * silence + (replyMs ?? turnaroundMsDefault);
}

function requestOf(group: readonly Stretch[]): ReadRequest {
  const fc = group[0]?.fc ?? 3;
  const address = Math.min(...group.map((one) => one.from));
  const count = Math.max(...group.map((one) => one.to)) - address + 1;
  const points = group.map((one) => one.name);
  return { fc, address, count, points, pdu: readRequest(fc, address, count) };
}

/** Names of the points of a poll group; `full` is everything that may be read on the side. */
export function pollGroup(profile: Profile, group: "fast" | "slow" | "full"): readonly string[] {
  return Object.entries(profile.points)
    .filter(([, point]) => {
      if (point.read === undefined || point.read.clears === true || point.poll === "never")
        return false;
      return group === "full" || point.poll === group;
    })
    .map(([name]) => name);
}
