/**
 * Who is on a wire: units that answer, and which profile each of them could be.
 *
 * The idea: every unit is asked for one register; whatever it answers, an exception too, it is
 * there. Then the profiles are tried one after another by reading. It refuses to write, to ask
 * unit 0, and to call a device certain that only happens to answer.
 */
import type { IdentityProbe } from "#drivers/identity-probe.js";
import { readRequest } from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import type { Wire } from "#kernel/ports.js";

export interface ScanOptions {
  /** 1–247; 0 is never asked. */
  readonly units: readonly number[];
  /** Longest wait for the first byte of a reply. */
  readonly firstByteMs: Ms;
  readonly timeoutMs: Ms;
  /** Ask also what each profile reads first, of units that do not answer a plain read. */
  readonly thorough: boolean;
  readonly probes: readonly IdentityProbe[];
  /** After each unit. */
  readonly onUnit: (unit: number, found: FoundUnit | undefined) => void;
  /** Asked before each unit; true ends the scan with what was found. */
  readonly ended: () => boolean;
}

export interface ProfileFit {
  readonly profile: string;
  readonly fit: "certain" | "possible";
  readonly text: string;
  /** Registers that were read and made sense. */
  readonly registers: number;
}

export interface FoundUnit {
  readonly unit: number;
  /** The best first. */
  readonly fits: readonly ProfileFit[];
}

/** A unit is asked again once: one lost frame must not hide a device. */
const asksMax = 2;
/** How long a lost connection is waited for. */
const reconnectMsMax: Ms = 3000;
const lookMs: Ms = 10;

/** Scans one wire that stands; in the order of `units`. */
export async function scanWire(wire: Wire, options: ScanOptions): Promise<readonly FoundUnit[]> {
  const found: FoundUnit[] = [];
  for (const unit of options.units) {
    if (options.ended()) break;
    const there = await answers(wire, unit, options);
    const one = there ? { unit, fits: await fitsOf(wire, unit, options) } : undefined;
    if (one !== undefined) found.push(one);
    options.onUnit(unit, one);
  }
  return found;
}

async function answers(wire: Wire, unit: number, options: ScanOptions): Promise<boolean> {
  const { probes, thorough } = options;
  const firsts = thorough ? probes.flatMap(({ requests }) => requests.slice(0, 1)) : [];
  const asks = [readRequest(3, 0, 1), ...firsts.map(({ pdu }) => pdu)];
  for (const pdu of asks)
    if ((await ask(wire, unit, pdu, options, asksMax)) !== undefined) return true;
  return false;
}

/** The reply PDU, exceptions included; undefined: none came. */
async function ask(
  wire: Wire,
  unit: number,
  pdu: Uint8Array,
  { firstByteMs, timeoutMs }: ScanOptions,
  times: number,
): Promise<Uint8Array | undefined> {
  for (let i = 0; i < times; i += 1) {
    // A wire that hears nobody for long opens itself anew; the silence was the units'.
    await standing(wire);
    const result = await wire.exchange(unit, pdu, { timeoutMs, firstByteMs });
    if (result.kind === "reply" && !isPathGone(result.pdu)) return result.pdu;
  }
  return undefined;
}

async function standing(wire: Wire): Promise<void> {
  const untilMs = performance.now() + reconnectMsMax;
  while (!wire.connected && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** A gateway that says 0x0A or 0x0B speaks of a unit that is not there [MODBUS 7]. */
function isPathGone(pdu: Uint8Array): boolean {
  return ((pdu[0] ?? 0) & 0x80) !== 0 && (pdu[1] === 0x0a || pdu[1] === 0x0b);
}

async function fitsOf(
  wire: Wire,
  unit: number,
  options: ScanOptions,
): Promise<readonly ProfileFit[]> {
  const fits: ProfileFit[] = [];
  const known = new Map<string, Uint8Array | undefined>();
  for (const probe of options.probes) {
    if (options.ended()) break;
    const fit = await tryProfile(wire, unit, probe, options, known);
    if (fit !== undefined) fits.push(fit);
  }
  const rank = { certain: 0, possible: 1 } as const;
  return fits.sort((a, b) => rank[a.fit] - rank[b.fit] || b.registers - a.registers);
}

/** `known`: what this unit has answered already; profiles of one family ask the same. */
async function tryProfile(
  wire: Wire,
  unit: number,
  { profile, requests, judge }: IdentityProbe,
  options: ScanOptions,
  known: Map<string, Uint8Array | undefined>,
): Promise<ProfileFit | undefined> {
  const replies: Uint8Array[] = [];
  let registers = 0;
  for (const { pdu, count } of requests) {
    const key = String(pdu);
    if (!known.has(key)) known.set(key, await ask(wire, unit, pdu, options, asksMax));
    const reply = known.get(key);
    if (reply === undefined || ((reply[0] ?? 0) & 0x80) !== 0) return undefined;
    replies.push(reply);
    registers += count;
  }
  const { fit, text } = judge(replies);
  return fit === "no" ? undefined : { profile: profile.id, fit, text, registers };
}
