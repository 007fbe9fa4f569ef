/**
 * Replies made values: what the points of a planned read hold.
 *
 * The idea: each point is cut out of the block by its own codec, and a reply that equals the
 * last one is not decoded again. It refuses half a picture: one point that is none makes the
 * block suspect.
 */
import { decodeRaw, fromRaw } from "./codec.js";
import type { DeviceModel, PointValues, ReadRequest } from "./device-model.js";
import type { PointCodec } from "./frame.js";
import { matchReply } from "./pdu.js";
import type { Profile } from "./profile.js";
import type { BadReason } from "./reading.js";

/** A device that stands still answers with the same bytes: what they mean is kept. */
export function decoderOf(
  profile: Profile,
  codecs: ReadonlyMap<string, PointCodec>,
): DeviceModel["decode"] {
  const last = new WeakMap<ReadRequest, { reply: Uint8Array; values: PointValues }>();
  return (request, reply) => {
    const known = last.get(request);
    if (known !== undefined && sameBytes(known.reply, reply)) return known.values;
    const values = decodeReply(profile, codecs, request, reply);
    if (typeof values !== "string") last.set(request, { reply: reply.slice(), values });
    return values;
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function decodeReply(
  profile: Profile,
  codecs: ReadonlyMap<string, PointCodec>,
  request: ReadRequest,
  reply: Uint8Array,
): PointValues | BadReason {
  const matched = matchReply(request.pdu, reply);
  if (matched.kind === "exception") return "exception";
  if (matched.kind !== "words" && matched.kind !== "bits") return "malformed";
  const words = matched.kind === "words" ? matched.words : matched.bits.map(Number);
  const values = new Map<string, number>();
  for (const name of request.points) {
    const codec = codecs.get(name);
    if (codec?.spec.read === undefined) continue;
    const order = codec.spec.order ?? profile.transport.order.default;
    const raw = decodeRaw(codec.spec, words, order, codec.spec.read.address - request.address);
    // One value that is none makes the block suspect: better no value than half a picture.
    if (raw === undefined) return "invalid-value";
    values.set(name, codec.scaling === undefined ? raw : fromRaw(raw, codec.scaling));
  }
  return values;
}
