/**
 * What a point's reply says, for people.
 *
 * The idea: user units where the cell file gives the mechanics, the raw number otherwise, and a
 * reason where there is no value. It refuses to show a 0 for something that was not read.
 */
import { decodeRaw, fromRaw } from "#drivers/codec.js";
import type { ReadRequest } from "#drivers/device-model.js";
import type { Names } from "#drivers/expression.js";
import { matchReply } from "#drivers/pdu.js";
import type { Profile } from "#drivers/profile.js";
import { namesOf, scalingOf, setupProblems } from "#drivers/scaling.js";
import type { Target } from "./target.js";

export interface PointReply {
  readonly profile: Profile;
  readonly target: Target;
  readonly request: ReadRequest;
  /** The PDU, or in words why there is none. */
  readonly reply: Uint8Array | string;
  readonly name: string;
}

/** Numbers of the installation; undefined: the command does not know them. */
export function namesFor(profile: Profile, { setup }: Target): Names | undefined {
  if (setup === undefined || setupProblems(profile, setup).length > 0) return undefined;
  return namesOf(profile, setup);
}

export function decodePoint({ profile, target, request, reply, name }: PointReply): {
  readonly ok: boolean;
  readonly text: string;
} {
  if (typeof reply === "string") return { ok: false, text: reply };
  const matched = matchReply(request.pdu, reply);
  if (matched.kind === "exception") {
    const meaning = profile.transport.exceptions.meanings[String(matched.code)];
    const known = meaning === undefined ? "" : ` (${meaning})`;
    return { ok: false, text: `exception ${matched.code}${known}` };
  }
  if (matched.kind !== "words" && matched.kind !== "bits") return { ok: false, text: "malformed" };
  const spec = profile.points[name];
  if (spec?.read === undefined) return { ok: false, text: "it cannot be read" };
  const words = matched.kind === "words" ? matched.words : matched.bits.map(Number);
  const order = spec.order ?? profile.transport.order.default;
  const raw = decodeRaw(spec, words.slice(spec.read.address - request.address), order);
  if (raw === undefined) return { ok: false, text: "no valid value" };
  const names = namesFor(profile, target);
  const scaling = names === undefined ? undefined : scalingOf(spec, names);
  const hex = raw >= 0 ? ` (0x${raw.toString(16)})` : "";
  const doubt = ["M", "X"].includes(spec.evidence.confidence)
    ? `  ! confidence ${spec.evidence.confidence}`
    : "";
  const unit = target.setup?.axis?.unit ?? "";
  const shown =
    scaling === undefined
      ? `${raw}${hex}`
      : `${fromRaw(raw, scaling)} ${quantityUnit(spec.quantity, unit)} (raw ${raw})`;
  return { ok: true, text: `${shown}  ${spec.text}${doubt}` };
}

function quantityUnit(quantity: string, unit: string): string {
  if (quantity === "velocity") return `${unit}/s`;
  if (quantity === "acceleration") return `${unit}/s²`;
  return quantity === "position" ? unit : "";
}
