/**
 * Request frames that write points: one register, a wide value, or a block in one frame.
 *
 * The idea: the profile says function code and address, the codec says the words; a block's
 * registers are filled field by field and what no field fills is 0. It refuses values that do not
 * fit their point, with the point's name.
 */
import type { Encoded, Scaling } from "./codec.js";
import { encodeRaw, merge, toRaw } from "./codec.js";
import type { Names } from "./expression.js";
import { readWriteMultiple, writeCoil, writeCoils, writeMultiple, writeSingle } from "./pdu.js";
import type { PointSpec, Profile } from "./profile.js";
import { scalingOf } from "./scaling.js";

export interface PointCodec {
  readonly name: string;
  readonly spec: PointSpec;
  readonly scaling: Scaling | undefined;
}

/** @throws RangeError when the profile has no such point. */
export function codecOf(profile: Profile, names: Names, name: string): PointCodec {
  const spec = profile.points[name];
  if (spec === undefined) throw new RangeError(`there is no point ${name}`);
  return { name, spec, scaling: scalingOf(spec, names) };
}

/** User units (or the raw number, for quantity none) → the raw number of a point. */
export function rawOf(codec: PointCodec, value: number): Encoded<number> {
  return codec.scaling === undefined ? { ok: true, value } : toRaw(value, codec.scaling);
}

function wordsOf(profile: Profile, codec: PointCodec, value: number): Encoded<readonly number[]> {
  const raw = rawOf(codec, value);
  const order = codec.spec.order ?? profile.transport.order.default;
  const words = raw.ok ? encodeRaw(codec.spec, raw.value, order) : raw;
  return words.ok ? words : { ok: false, why: `${codec.name}: ${words.why}` };
}

/** The frame that writes one point by itself. */
export function frameOf(profile: Profile, codec: PointCodec, value: number): Encoded<Uint8Array> {
  const { write } = codec.spec;
  if (write === undefined) return { ok: false, why: `${codec.name} cannot be written` };
  const words = wordsOf(profile, codec, value);
  if (!words.ok) return words;
  const first = words.value[0] ?? 0;
  switch (write.fc) {
    case 5:
      return { ok: true, value: writeCoil(write.address, first !== 0) };
    case 6:
      return { ok: true, value: writeSingle(write.address, first) };
    case 15:
      return { ok: true, value: writeCoils(write.address, [first !== 0]) };
    case 16:
      return { ok: true, value: writeMultiple(write.address, words.value) };
    default:
      return write.fc satisfies never;
  }
}

/** The frame of a whole block; fields that are not named are 0. */
export function blockFrame(
  profile: Profile,
  block: string,
  fields: readonly (readonly [PointCodec, number])[],
): Encoded<Uint8Array> {
  const spec = profile.blocks[block];
  if (spec === undefined) throw new RangeError(`there is no block ${block}`);
  let words: readonly number[] = Array.from({ length: spec.registers }, () => 0);
  for (const [codec, value] of fields) {
    const own = wordsOf(profile, codec, value);
    if (!own.ok) return own;
    words = merge(words, own.value, (codec.spec.write?.address ?? 0) - spec.address);
  }
  switch (spec.fc) {
    case 15: {
      const coils = words.map((word) => word !== 0);
      return { ok: true, value: writeCoils(spec.address, coils) };
    }
    case 16:
      return { ok: true, value: writeMultiple(spec.address, words) };
    case 23: {
      const read = spec.read ?? { address: spec.address, count: spec.registers };
      return { ok: true, value: readWriteMultiple(read, spec.address, words) };
    }
    default:
      return spec.fc satisfies never;
  }
}
