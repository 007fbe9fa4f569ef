/**
 * Which written frames of a device are triggers and which are stops, from its profile.
 *
 * The idea: each write of a profile is a pattern of bits: constants are exact, what an argument or
 * a captured reading fills may be anything. A frame with the very bits of a stop is no trigger,
 * even where an operation could send the same (a speed of 0). It refuses to know what a frame
 * does; it knows for what the profile would send it.
 */
import type { DeviceSetup } from "#drivers/device-model.js";
import type { PointCodec } from "#drivers/frame.js";
import { blockFrame, codecOf } from "#drivers/frame.js";
import type { PointSpec, Profile, StepSpec } from "#drivers/profile.js";
import type { Operand } from "#drivers/profile-behaviour.js";
import { stepsIn } from "#drivers/profile-walk.js";
import { type CompileContext, constantFrames } from "#drivers/program-compile.js";
import { namesOf } from "#drivers/scaling.js";

export interface FrameKinds {
  /** Whether a written PDU (hex) may start a motion. */
  readonly isTrigger: (pdu: string) => boolean;
  /** Whether a written PDU (hex) belongs to a stop of any class. */
  readonly isStop: (pdu: string) => boolean;
}

/** Bits of a frame; where `mask` has a 0 it may be anything. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly mask: Uint8Array;
}

/** @throws RangeError when the setup does not fit the profile. */
export function frameKinds(profile: Profile, setup: DeviceSetup): FrameKinds {
  const context = { profile, names: namesOf(profile, setup), always: [] };
  const operations = [...Object.values(profile.operations), profile.retarget];
  const triggers = operations.flatMap((operation) => {
    return stepsIn(operation?.steps ?? [], []).flatMap(({ value }) => triggersOf(value, context));
  });
  const stops = Object.values(profile.stops).flatMap((stop) => {
    if (stop === undefined) return [];
    const first = [...stop.blind, ...(stop.whenKnown === undefined ? [] : [stop.whenKnown])];
    return [
      ...first.flatMap((one) => constantFrames(one, context)).map(exact),
      ...stepsIn(stop.steps, []).flatMap(({ value }) => writesOf(value, context)),
    ];
  });
  const exactStops = new Set(stops.filter(isExact).map(({ bytes }) => hexOf(bytes)));
  return {
    isTrigger: (pdu) => !exactStops.has(pdu) && triggers.some((one) => fits(one, pdu)),
    isStop: (pdu) => stops.some((one) => fits(one, pdu)),
  };
}

function triggersOf(step: StepSpec, context: CompileContext): readonly Pattern[] {
  const { edge, output } = step;
  if (edge?.trigger === true) return patternsOf({ [edge.point]: edge.high }, undefined, context);
  if (output !== undefined) {
    return output.points.flatMap((point) =>
      patternsOf({ [point]: { arg: output.value } }, undefined, context),
    );
  }
  return step.trigger === true ? patternsOf(step.write ?? {}, step.block, context) : [];
}

/** Everything that a step writes. */
function writesOf(step: StepSpec, context: CompileContext): readonly Pattern[] {
  const { write, block, edge, reach } = step;
  const one = (point: string, value: number) => patternsOf({ [point]: value }, undefined, context);
  return [
    ...patternsOf(write ?? {}, block, context),
    ...(edge === undefined ? [] : [edge.low, edge.high].flatMap((v) => one(edge.point, v))),
    ...(reach === undefined ? [] : Object.values(reach.by).flatMap((v) => one(reach.point, v))),
  ];
}

function patternsOf(
  write: Readonly<Record<string, number | Operand>>,
  block: string | undefined,
  context: CompileContext,
): readonly Pattern[] {
  const fields = Object.entries(write);
  if (block !== undefined) return [blockPattern(fields, block, context)];
  return fields.flatMap(([name, operand]) => {
    if (typeof operand !== "number") return [pointPattern(name, operand, context)];
    return constantFrames({ write: { [name]: operand } }, context).map(exact);
  });
}

/** One point whose value is not known beforehand. */
function pointPattern(name: string, operand: Operand, context: CompileContext): Pattern {
  const { spec } = codecOf(context.profile, context.names, name);
  const { fc, address } = spec.write ?? { fc: 6, address: 0 };
  const head = [fc, address >> 8, address & 0xff];
  if (fc === 16) {
    const words = wordsOf(spec);
    return pattern([...head, words >> 8, words & 0xff, 2 * words], 2 * words);
  }
  if (fc === 15) return pattern([...head, 0, 1, 1], 1);
  if (fc === 5) return pattern(head, 2);
  const { set = 0, clear = 0, toggle = 0 } = operand;
  const fixed = (set | clear) & ~toggle;
  const of = (word: number) => [word >> 8, word & 0xff];
  return {
    bytes: Uint8Array.from([...head, ...of(set & fixed)]),
    mask: Uint8Array.from([...head.map(() => 0xff), ...of(fixed)]),
  };
}

/** Several points in one frame; those without a known value leave their own bits open. */
function blockPattern(
  fields: readonly (readonly [string, number | Operand])[],
  block: string,
  { profile, names }: CompileContext,
): Pattern {
  const codecs = fields.map(([name, operand]) => [codecOf(profile, names, name), operand] as const);
  const known = codecs.filter((one): one is readonly [PointCodec, number] => {
    return typeof one[1] === "number";
  });
  const made = blockFrame(profile, block, known);
  if (!made.ok) throw new RangeError(made.why);
  const { bytes, mask } = exact(made.value);
  const { fc = 16, address = 0 } = profile.blocks[block] ?? {};
  for (const [{ spec }, operand] of codecs) {
    if (typeof operand === "number") continue;
    const at = (spec.write?.address ?? 0) - address;
    // Coils are packed; which bit is whose matters to nobody who cannot know its value.
    if (fc === 15) mask.fill(0, 6);
    else openWords(mask, (fc === 23 ? 10 : 6) + 2 * at, spec);
  }
  return { bytes, mask };
}

function openWords(mask: Uint8Array, at: number, spec: PointSpec): void {
  const own = bitsOf(spec);
  for (let i = 0; i < wordsOf(spec); i += 1) {
    const high = at + 2 * i;
    mask[high] = (mask[high] ?? 0) & ~(own >> 8);
    mask[high + 1] = (mask[high + 1] ?? 0) & ~(own & 0xff);
  }
}

function wordsOf({ type }: PointSpec): number {
  if (/64$/.test(type)) return 4;
  return /32$/.test(type) ? 2 : 1;
}

/** The bits of its word that a narrow point fills. */
function bitsOf({ type, byte, bits }: PointSpec): number {
  if (bits !== undefined) return ((1 << bits.width) - 1) << bits.from;
  if (type === "u8" || type === "i8") return byte === "high" ? 0xff00 : 0xff;
  return 0xffff;
}

function pattern(head: readonly number[], open: number): Pattern {
  return {
    bytes: Uint8Array.from([...head, ...new Array<number>(open).fill(0)]),
    mask: Uint8Array.from([...head.map(() => 0xff), ...new Array<number>(open).fill(0)]),
  };
}

function exact(bytes: Uint8Array): Pattern {
  return { bytes, mask: new Uint8Array(bytes.length).fill(0xff) };
}

function isExact({ mask }: Pattern): boolean {
  return mask.every((byte) => byte === 0xff);
}

function fits({ bytes, mask }: Pattern, pdu: string): boolean {
  if (pdu.length !== 2 * bytes.length) return false;
  return bytes.every((byte, i) => {
    const own = Number.parseInt(pdu.slice(2 * i, 2 * i + 2), 16);
    return ((own ^ byte) & (mask[i] ?? 0)) === 0;
  });
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
