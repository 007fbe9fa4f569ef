/**
 * What one exchange on a bus means, in a line for people.
 *
 * The idea: points by name where the profile has them at the addresses of the request, in user
 * units where the cell file gives the mechanics, raw numbers otherwise; what has no name is shown
 * as it is. It refuses to hide a frame that it does not understand.
 */
import { decodeRaw, fromRaw } from "#drivers/codec.js";
import type { DeviceSetup } from "#drivers/device-model.js";
import { matchReply } from "#drivers/pdu.js";
import { type PointSpec, type Profile, pointSpan } from "#drivers/profile.js";
import { namesOf, scalingOf, setupProblems } from "#drivers/scaling.js";
import { deviceUnits } from "#kernel/config/quantities.js";
import type { FrameRecord } from "#kernel/contract/frame-record.js";

export interface FrameDevice {
  readonly device: string;
  readonly profile?: Profile | undefined;
  readonly setup?: DeviceSetup | undefined;
}

/** `read 0x3200 ×2: statusword=0x0637` and what came of it. */
export function frameText(frame: FrameRecord, { profile, setup }: FrameDevice): string {
  const request = Buffer.from(frame.request, "hex");
  const reply = frame.reply === undefined ? undefined : Buffer.from(frame.reply, "hex");
  const asked = askedOf(request);
  if (asked === undefined) return `${frame.request} → ${frame.reply ?? frame.outcome}`;
  const end = outcomeText(frame, request, reply, profile);
  const where = `${asked.write ? "write" : "read"} ${place(asked)}`;
  const words = asked.write ? asked.words : wordsOf(request, reply);
  const names = profile === undefined ? [] : named(profile, setup, asked, words);
  return [where, ...names, end].filter((part) => part !== "").join(" ");
}

interface Asked {
  readonly fc: number;
  readonly write: boolean;
  readonly address: number;
  readonly count: number;
  /** Of a write: what is written. */
  readonly words: readonly number[];
}

function askedOf(pdu: Uint8Array): Asked | undefined {
  const [fc = 0] = pdu;
  const at = (i: number) => ((pdu[i] ?? 0) << 8) | (pdu[i + 1] ?? 0);
  const list = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => at(from + 2 * i));
  const address = at(1);
  switch (fc) {
    case 1:
    case 2:
    case 3:
    case 4:
      return { fc, write: false, address, count: at(3), words: [] };
    case 5:
      return { fc, write: true, address, count: 1, words: [at(3) === 0xff00 ? 1 : 0] };
    case 6:
      return { fc, write: true, address, count: 1, words: [at(3)] };
    case 15: {
      const bit = (i: number) => ((pdu[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1;
      const words = Array.from({ length: at(3) }, (_, i) => bit(i));
      return { fc, write: true, address, count: at(3), words };
    }
    case 16:
      return { fc, write: true, address, count: at(3), words: list(6, at(3)) };
    case 23:
      return { fc, write: true, address: at(5), count: at(7), words: list(10, at(7)) };
    default:
      return undefined;
  }
}

function place({ fc, address, count }: Asked): string {
  return `fc${fc} 0x${address.toString(16).padStart(4, "0")}${count > 1 ? ` ×${count}` : ""}`;
}

function wordsOf(request: Uint8Array, reply: Uint8Array | undefined): readonly number[] {
  const matched = reply === undefined ? undefined : matchReply(request, reply);
  if (matched?.kind === "words") return matched.words;
  return matched?.kind === "bits" ? matched.bits.map(Number) : [];
}

function named(
  profile: Profile,
  setup: DeviceSetup | undefined,
  asked: Asked,
  words: readonly number[],
): readonly string[] {
  const known = setup !== undefined && setupProblems(profile, setup).length === 0;
  const names = known ? namesOf(profile, setup) : undefined;
  const units = deviceUnits(setup?.axis);
  return Object.entries(profile.points).flatMap(([name, point]) => {
    const from = startOf(point, asked);
    const span = pointSpan(point, asked.write ? "write" : "read");
    if (from === undefined || from < asked.address) return [];
    const at = from - asked.address;
    if (at + span > asked.count) return [];
    if (words.length === 0) return [name];
    const raw = decodeRaw(point, words.slice(at), point.order ?? profile.transport.order.default);
    if (raw === undefined) return [`${name}=none`];
    const scaling = names === undefined ? undefined : scalingOf(point, names);
    if (scaling === undefined) return [`${name}=${rawText(point, raw)}`];
    const unit = unitOf(point.quantity, units);
    return [`${name}=${Number(fromRaw(raw, scaling).toFixed(4))}${unit === "" ? "" : ` ${unit}`}`];
  });
}

/** Reads go by function and address; what is written by whichever function, by address. */
function startOf(point: PointSpec, { fc, write, address }: Asked): number | undefined {
  if (!write) return point.read?.fc === fc ? point.read.address : undefined;
  const coils = fc === 5 || fc === 15;
  const own = point.write;
  if (own === undefined || (own.fc === 5 || own.fc === 15) !== coils) return undefined;
  return own.address < address ? undefined : own.address;
}

function rawText({ type, quantity }: PointSpec, raw: number): string {
  const word = quantity === "none" && (type === "u16" || type === "bits");
  return word && raw > 9 ? `0x${raw.toString(16).padStart(4, "0")}` : String(raw);
}

function unitOf(quantity: string, units: ReturnType<typeof deviceUnits>): string {
  if (quantity === "position") return units.position;
  if (quantity === "velocity") return units.velocity;
  return quantity === "acceleration" ? units.acceleration : "";
}

function outcomeText(
  { outcome }: FrameRecord,
  request: Uint8Array,
  reply: Uint8Array | undefined,
  profile: Profile | undefined,
): string {
  if (reply === undefined) return `! ${outcome}`;
  const matched = matchReply(request, reply);
  if (matched.kind === "malformed") return `! malformed: ${matched.why}`;
  if (matched.kind !== "exception") return "";
  const meaning = profile?.transport.exceptions.meanings[String(matched.code)];
  return `! exception ${matched.code}${meaning === undefined ? "" : ` (${meaning})`}`;
}
