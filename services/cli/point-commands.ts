/**
 * `servocell read` and `servocell write`: single values of a device, for the person at the cabinet.
 *
 * The idea: a target is a device of a cell file, or a wire with a unit and perhaps a profile; a
 * value is a point by name, or raw (`3:0x3200:2` reads, `6:0x3100=0x0006` writes). Reads of a
 * running cell go through its poll lane and disturb nobody. A write says first, frame by frame,
 * what it will do, and does it only with --yes; it refuses a cell that runs, because there the
 * driver has the axis and a lease is the way.
 */
import { codecOf, frameOf, type PointCodec } from "#drivers/frame.js";
import { matchReply, readRequest, writeCoil, writeMultiple, writeSingle } from "#drivers/pdu.js";
import type { PointSpec, Profile } from "#drivers/profile.js";
import { planReads } from "#drivers/read-plan.js";
import { ServocellError } from "#kernel/errors.js";
import type { Wire } from "#kernel/ports.js";
import { decodePoint, namesFor } from "./point-values.js";
import type { Target } from "./target.js";

const replyMs = 1000;

export interface PointVoice {
  say(line: string): void;
  hint(line: string): void;
}

/** Exit code: 0 all read, 1 at least one was not. */
export async function readPoints(
  target: Target,
  wanted: readonly string[],
  voice: PointVoice,
): Promise<number> {
  const wire = await target.open("read");
  try {
    const raws = wanted.filter(isRaw);
    const names = wanted.filter((one) => !isRaw(one));
    let failed = 0;
    for (const raw of raws) if (!(await readRaw(wire, target.unit, raw, voice))) failed += 1;
    if (names.length > 0 || raws.length === 0) {
      failed += await readNamed(wire, target, names, voice);
    }
    return failed === 0 ? 0 : 1;
  } finally {
    await wire.close();
  }
}

function isRaw(text: string): boolean {
  return /^\d+:/.test(text);
}

function number(text: string | undefined, what: string, most = 0xffff): number {
  const value = text === undefined || text === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new ServocellError("VALIDATION_FAILED", `${what} must be 0 to ${most}, not ${text}.`);
}

async function readRaw(wire: Wire, unit: number, text: string, voice: PointVoice) {
  const [fc, address, count] = text.split(":");
  const code = number(fc, "the function code", 4);
  if (code !== 1 && code !== 2 && code !== 3 && code !== 4) {
    throw new ServocellError("VALIDATION_FAILED", `${text}: function codes that read are 1 to 4.`);
  }
  const pdu = readRequest(code, number(address, "the address"), number(count ?? "1", "the count"));
  const reply = await exchange(wire, unit, pdu);
  if (typeof reply === "string") {
    voice.say(`${text}: ${reply}`);
    return false;
  }
  const matched = matchReply(pdu, reply);
  if (matched.kind === "words") {
    const hex = matched.words.map((word) => `0x${word.toString(16).padStart(4, "0")}`);
    voice.say(`${text}: ${hex.join(" ")}  (${matched.words.join(" ")})`);
    return true;
  }
  if (matched.kind === "bits") {
    const count = Number(text.split(":")[2] ?? "1");
    voice.say(`${text}: ${matched.bits.slice(0, count).map(Number).join(" ")}`);
    return true;
  }
  voice.say(`${text}: ${matched.kind === "exception" ? `exception ${matched.code}` : "malformed"}`);
  return false;
}

/** The reply's PDU, or in words why there is none. */
async function exchange(wire: Wire, unit: number, pdu: Uint8Array): Promise<Uint8Array | string> {
  const result = await wire.exchange(unit, pdu, { timeoutMs: replyMs });
  if (result.kind === "reply") return result.pdu;
  return "why" in result ? `no reply (${result.why})` : "no reply";
}

async function readNamed(
  wire: Wire,
  target: Target,
  names: readonly string[],
  voice: PointVoice,
): Promise<number> {
  const profile = profileOf(target);
  const readable = Object.keys(profile.points).filter((name) => {
    const { read } = profile.points[name] ?? {};
    return read !== undefined && (names.includes(name) || (names.length === 0 && !read.clears));
  });
  for (const name of names) pointOf(profile, name);
  const unreadable = names.filter((name) => !readable.includes(name));
  for (const name of unreadable) voice.say(`${name}: it can only be written`);
  let failed = unreadable.length;
  for (const request of planReads(profile, readable)) {
    const reply = await exchange(wire, target.unit, request.pdu);
    for (const name of request.points) {
      const shown = decodePoint({ profile, target, request, reply, name });
      if (!shown.ok) failed += 1;
      voice.say(`${name.padEnd(24)} ${shown.text}`);
    }
  }
  return failed;
}

function profileOf(target: Target): Profile {
  if (target.profile !== undefined) return target.profile;
  const text = "Points have names only with a profile: add --profile, or read raw (3:0x3200:2).";
  throw new ServocellError("VALIDATION_FAILED", text);
}

function pointOf(profile: Profile, name: string): PointSpec {
  const point = profile.points[name];
  if (point !== undefined) return point;
  const known = Object.keys(profile.points).join(", ");
  throw new ServocellError("NOT_FOUND", `${profile.id} has no point ${name}; it has ${known}.`);
}

interface PlannedWrite {
  readonly pdu: Uint8Array;
  readonly text: string;
}

/** Exit code: 0 written and acknowledged, 1 not, 2 nothing done for want of --yes. */
export async function writePoints(
  target: Target,
  orders: readonly string[],
  yes: boolean,
  voice: PointVoice,
): Promise<number> {
  const writes = orders.map((order) => planWrite(target, order));
  for (const { text } of writes) voice.say(text);
  if (!yes) {
    voice.hint("Nothing was sent. Whatever is driven by this device may move: add --yes to write.");
    return 2;
  }
  const wire = await target.open("write");
  try {
    for (const { pdu, text } of writes) {
      const reply = await exchange(wire, target.unit, pdu);
      const matched = typeof reply === "string" ? undefined : matchReply(pdu, reply);
      if (matched?.kind !== "ack") {
        const why = typeof reply === "string" ? reply : (matched?.kind ?? "");
        const code = matched?.kind === "exception" ? ` ${matched.code}` : "";
        // A write that may move something is never repeated blindly.
        voice.say(`not acknowledged: ${text}: ${why}${code}; read before you write again`);
        return 1;
      }
      voice.say("  acknowledged");
    }
    return 0;
  } finally {
    await wire.close();
  }
}

function planWrite(target: Target, order: string): PlannedWrite {
  const at = order.indexOf("=");
  const [left, right] = at < 0 ? [order, undefined] : [order.slice(0, at), order.slice(at + 1)];
  if (right === undefined) {
    const text = `${order} is no write; write point=value or 6:0x3100=0x0006.`;
    throw new ServocellError("VALIDATION_FAILED", text);
  }
  return isRaw(left) ? rawWrite(left, right) : namedWrite(target, left, right);
}

function rawWrite(left: string, right: string): PlannedWrite {
  const [fc, at] = left.split(":");
  const address = number(at, "the address");
  const words = right.split(",").map((word) => number(word, "a word"));
  const pdu = rawFrame(Number(fc), address, words, left);
  return { pdu, text: `write ${words.join(", ")} at ${at}: frame ${hexOf(pdu)}` };
}

function rawFrame(fc: number, address: number, words: readonly number[], left: string) {
  const [first = 0] = words;
  if (fc === 5 && words.length === 1 && first <= 1) return writeCoil(address, first === 1);
  if (fc === 6 && words.length === 1) return writeSingle(address, first);
  if (fc === 16) return writeMultiple(address, words);
  const text = `${left}: write with 5 (0 or 1), 6 (one word) or 16 (words with commas).`;
  throw new ServocellError("VALIDATION_FAILED", text);
}

function namedWrite(target: Target, name: string, text: string): PlannedWrite {
  const profile = profileOf(target);
  const point = pointOf(profile, name);
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) {
    throw new ServocellError("VALIDATION_FAILED", `${name}=${text}: the value is a number.`);
  }
  const codec = rawCodec(profile, target, name);
  const frame = frameOf(profile, codec, value);
  if (!frame.ok) throw new ServocellError("LIMIT_EXCEEDED", `${target.name}: ${frame.why}.`);
  const unit = codec.scaling === undefined ? "raw" : "in the units of the axis";
  const opcode = point.write?.opcode === true ? "; an opcode: it acts when it is written" : "";
  const shown = `write ${name} = ${value} (${unit}): ${point.text}${opcode}`;
  return { pdu: frame.value, text: `${shown}; frame ${hexOf(frame.value)}` };
}

/** Scaled where the cell file says how, raw otherwise. */
function rawCodec(profile: Profile, target: Target, name: string): PointCodec {
  const names = namesFor(profile, target);
  if (names !== undefined) return codecOf(profile, names, name);
  return { name, spec: pointOf(profile, name), scaling: undefined };
}

function hexOf(pdu: Uint8Array): string {
  return [...pdu].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
